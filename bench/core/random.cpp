#include "bench/core/random.hpp"

#include <cmath>
#include <numbers>

namespace detbench {

std::uint32_t SeededRandom::next32() {
  if (used_ == 4) {
    words_ = philox4x32(index_++, 0, 0, key_);
    used_ = 0;
  }
  return words_.w[used_++];
}

std::uint64_t SeededRandom::next64() {
  const std::uint64_t low = next32();  // two statements: the order of the two draws must not be the compiler's choice
  return std::uint64_t{next32()} << 32 | low;
}

std::uint32_t SeededRandom::below(std::uint32_t bound) {
  // Lemire, "Fast random integer generation in an interval" (2019): reject what would make low results likelier.
  const std::uint32_t threshold = (0u - bound) % bound;
  for (;;) {
    const std::uint64_t product = std::uint64_t{next32()} * bound;
    if (static_cast<std::uint32_t>(product) >= threshold) return static_cast<std::uint32_t>(product >> 32);
  }
}

double SeededRandom::uniform() { return (static_cast<double>(next64() >> 12) + 0.5) * 0x1p-52; }

double SeededRandom::normal() {
  const double radius = std::sqrt(-2.0 * std::log(uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace detbench
