// The instrument's own random numbers, drawn one after the other from a named Philox stream, so that schedules, halves,
// resamples and stressors are the same on every standard library; std::shuffle and the std:: distributions are not.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/tensor/philox.hpp"

namespace detbench {

/// Two streams of one seed with different names have nothing in common.
class SeededRandom {
 public:
  SeededRandom(std::uint64_t seed, std::string_view stream) : key_(stream_key(seed, stream)) {}
  std::uint32_t next32();
  std::uint64_t next64();
  /// Uniform over [0, bound) without bias; bound at least 1.
  std::uint32_t below(std::uint32_t bound);
  /// Uniform over (0, 1), 52 random bits; never 0 nor 1.
  double uniform();
  /// Normal with mean 0 and variance 1, by the Box-Muller transform. For simulations and delays only: it uses libm.
  double normal();

 private:
  std::uint64_t key_;
  std::uint64_t index_ = 0;
  PhiloxWords words_{};
  unsigned used_ = 4;
};

/// Fisher-Yates.
template <class T>
void shuffle(std::vector<T>& values, SeededRandom& random) {
  for (std::uint32_t i = static_cast<std::uint32_t>(values.size()); i > 1; --i)
    std::swap(values[i - 1], values[random.below(i)]);
}

/// A seed for part `index` of something seeded: neighbouring indices share nothing.
constexpr std::uint64_t derive_seed(std::uint64_t seed, std::string_view what, std::uint64_t index = 0) {
  return mix64(stream_key(seed, what) + mix64(index));
}

}  // namespace detbench
