// Collisions of truncated lanes against theory: the digest's bits are as good as random, also for contents that differ by
// little and with structure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/tensor/digest.hpp"
#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

Digest digest_of(const HostTensor& tensor) { return digest_on_host({&tensor.tensor, 1}); }

/// Among n values of b random bits n(n-1)/2 / 2^b pairs are equal, with a Poisson deviation. Every window of 24 bits of
/// both lanes is held against that: 65,536 inputs are 2 * 10^9 pairs.
void expect_random_windows(std::vector<Digest> digests, const char* what) {
  const double n = static_cast<double>(digests.size()), expected = n * (n - 1) / 2 / 0x1p24,
               deviation = std::sqrt(expected);
  for (int lane = 0; lane < 2; ++lane) {
    for (const int shift : {0, 8, 16, 24, 32, 40}) {
      std::vector<std::uint32_t> values;
      for (const Digest& d : digests)
        values.push_back(static_cast<std::uint32_t>((lane ? d.low : d.high) >> shift & 0xFFFFFFu));
      std::sort(values.begin(), values.end());
      double pairs = 0;
      for (std::size_t begin = 0, end; begin < values.size(); begin = end) {
        for (end = begin; end < values.size() && values[end] == values[begin];) ++end;
        pairs += static_cast<double>(end - begin) * static_cast<double>(end - begin - 1) / 2;
      }
      EXPECT_NEAR(pairs, expected, 6 * deviation) << what << ": lane " << lane << ", bits from " << shift;
    }
  }
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.end()), digests.end()) << what;
}

constexpr int family_size = 1 << 16;

/// Digests of `family_size` contents of two chunks, each made by `vary(words, i)` from the same start and undone.
template <class Vary>
std::vector<Digest> family(Vary vary, bool integers) {
  HostTensor t(DataType::f32, {2048});
  if (integers)
    for (int i = 0; i < 2048; ++i) t.as<float>()[i] = static_cast<float>(i % 17 - 8);
  else
    randomize(t.memory, 21);
  const std::vector<std::byte> start = t.memory;
  std::vector<Digest> digests;
  for (int i = 0; i < family_size; ++i) {
    std::memcpy(t.memory.data(), start.data(), start.size());
    vary(t.as<std::uint32_t>(), static_cast<std::uint32_t>(i));
    digests.push_back(digest_of(t));
  }
  return digests;
}

TEST(DigestDistribution, OneUlpMoreInASubsetOfElements) {
  expect_random_windows(family(
                            [](std::uint32_t* w, std::uint32_t i) {
                              for (int b = 0; b < 16; ++b) w[b * 101] += i >> b & 1;
                            },
                            false),
                        "one ulp");
}
TEST(DigestDistribution, SignsOfASubsetOfElements) {
  expect_random_windows(family(
                            [](std::uint32_t* w, std::uint32_t i) {
                              for (int b = 0; b < 16; ++b) w[b * 67 + 5] ^= (i >> b & 1) << 31;
                            },
                            false),
                        "signs");
}
TEST(DigestDistribution, SmallIntegersAsFloats) {
  expect_random_windows(family(
                            [](std::uint32_t* w, std::uint32_t i) {
                              for (int b = 0; b < 4; ++b) {
                                const float value = static_cast<float>(i >> 4 * b & 15);
                                std::memcpy(w + b * 300, &value, 4);
                              }
                            },
                            true),
                        "small integers");
}
TEST(DigestDistribution, TwoElementsThatCompensateInTheirSum) {
  expect_random_windows(family(
                            [](std::uint32_t* w, std::uint32_t i) {
                              w[i % 1024] += 1 + i / 1024;
                              w[(i + 1) % 1024] -= 1 + i / 1024;
                            },
                            false),
                        "compensating");
}
TEST(DigestDistribution, OneBitAnywhereInZeros) {
  HostTensor t(DataType::f32, {2048});
  std::vector<Digest> digests;
  for (int bit = 0; bit < family_size; ++bit) {
    t.as<std::uint32_t>()[bit / 32] = 1u << bit % 32;
    digests.push_back(digest_of(t));
    t.as<std::uint32_t>()[bit / 32] = 0;
  }
  expect_random_windows(std::move(digests), "one bit");
}

}  // namespace
}  // namespace detbench
