#include "kernels/tensor/layout_index.hpp"

#include <gtest/gtest.h>

#include "kernels/tensor/digest_host.hpp"
#include "kernels/tensor/digest_words.hpp"
#include "tests/kernels/tensor/host_tensor.hpp"

namespace detbench {
namespace {

TEST(Divisor, IsExactBelowTwoToThe31) {
  std::vector<std::uint32_t> divisors;
  for (std::uint32_t d = 1; d <= 300; ++d) divisors.push_back(d);
  for (int s = 8; s < 31; ++s)
    for (const int near : {-2, -1, 0, 1, 2}) divisors.push_back((1u << s) + static_cast<std::uint32_t>(near));
  for (const std::uint32_t d : {641u, 12544u, 50176u, 1000003u, 0x7FFFFFFFu, 0x7FFFFFFEu, 0x40000001u})
    divisors.push_back(d);
  for (const std::uint32_t d : divisors) {
    const Divisor divisor = Divisor::of(d);
    const auto check = [&](std::uint64_t n) {
      if (n >= std::uint64_t{1} << 31) return;
      ASSERT_EQ(divisor.quotient(static_cast<std::uint32_t>(n)), n / d) << n << " / " << d;
    };
    for (std::uint64_t k : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{7}, (std::uint64_t{1} << 31) / d - 1,
                            (std::uint64_t{1} << 31) / d})
      for (const std::uint64_t n : {k * d - 1, k * d, k * d + 1}) check(n);
    for (std::uint64_t n = 0; n < (std::uint64_t{1} << 31); n += 4194301) check(n);
    check(0x7FFFFFFF);
  }
}

TEST(LayoutIndex, AgreesWithTheLayoutForEveryElement) {
  for (const Shape& shape : std::vector<Shape>{{},
                                               {1},
                                               {0},
                                               {37},
                                               {5, 9},
                                               {2, 3, 4},
                                               {2, 5, 7, 37},
                                               {3, 1, 6, 16},
                                               {1, 4, 4, 1},
                                               {2, 19, 3, 3, 21},
                                               {32, 1, 3, 3, 1}}) {
    for (const MemoryLayout& layout : sample_layouts(shape)) {
      const auto index = make_layout_index({"t", DataType::f32, shape, layout});
      ASSERT_TRUE(index) << index.error().text;
      LayoutIndex wide = *index;
      wide.narrow = false;
      for_each_index(shape, [&](std::int64_t i, const std::int64_t* at) {
        ASSERT_EQ(index->offset(i), layout.offset(at));
        ASSERT_EQ(wide.offset(i), layout.offset(at));
      });
    }
  }
}

TEST(LayoutIndex, BeyondTwoToThe32Elements) {
  const Shape shape{1 << 8, 1 << 10, 1 << 10, 1 << 8};  // 2^36 elements, without their memory
  for (const char* name : {"nhwc", "nchw", "nchw16c"}) {
    const TensorSpec spec{"t", DataType::f32, shape, *activation_layout(shape, name)};
    const LayoutIndex index = *make_layout_index(spec);
    for (std::int64_t i = 0; i < index.elements; i += (std::int64_t{1} << 29) + 12347) {
      std::int64_t at[max_rank]{}, rest = i;
      for (int d = 3; d >= 0; --d) {
        at[d] = rest % shape[d];
        rest /= shape[d];
      }
      ASSERT_EQ(index.offset(i), spec.layout.offset(at)) << name << " " << i;
    }
  }
}

TEST(LayoutIndex, TooManyBlocksAreRefused) {
  MemoryLayout layout{{1}, {}, 128};
  for (int b = 0; b <= LayoutIndex::max_blocks; ++b) layout.blocks.push_back({0, 2});
  EXPECT_FALSE(make_layout_index({"t", DataType::f32, {128}, layout}));
}

/// What a GPU does, one word at a time and in another order.
template <class T, bool aligned>
DigestLanes lanes_by_words(const HostTensor& t) {
  const LayoutIndex layout = *make_layout_index(t.tensor.spec);
  const auto* memory = reinterpret_cast<const unsigned char*>(t.memory.data());
  DigestLanes total;
  const std::int64_t chunks = digest_chunk_count(layout.elements * static_cast<std::int64_t>(sizeof(T)));
  for (std::int64_t chunk = chunks; chunk-- > 0;) {
    DigestLanes sum;
    for (int position = digest_chunk_words; position-- > 0;)
      digest_add_word(sum, digest_word<T, aligned>(memory, layout, chunk * digest_chunk_words + position),
                      digest_key(0, position), digest_key(1, position));
    for (int lane = 0; lane < 2; ++lane)
      total.lane[lane] += digest_chunk_term(lane, sum.lane[lane], static_cast<std::uint64_t>(chunk));
  }
  return total;
}

template <class T>
void check_words(DataType type) {
  for (const Shape& shape :
       std::vector<Shape>{{1}, {1023}, {4099}, {2, 9, 7, 37}, {2, 19, 3, 3, 21}, {40, 1, 3, 3, 1}}) {
    for (const MemoryLayout& layout : sample_layouts(shape)) {
      HostTensor t(type, shape, layout);
      randomize(t.memory, 4);
      for (const DigestLanes& lanes : {lanes_by_words<T, true>(t), lanes_by_words<T, false>(t)}) {
        const Digest single = finish_digest(t.tensor.spec, lanes);
        EXPECT_EQ(combine({&single, 1}), digest_on_host({&t.tensor, 1}))
            << to_text(type) << " " << describe_layout(t.tensor.spec);
      }
    }
  }
}

TEST(DigestWords, GiveTheHostsDigest) {
  check_words<std::uint8_t>(DataType::u8);
  check_words<std::uint16_t>(DataType::bf16);
  check_words<std::uint32_t>(DataType::f32);
  check_words<std::uint64_t>(DataType::f64);
}

}  // namespace
}  // namespace detbench
