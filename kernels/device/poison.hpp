// What poisoned memory holds; the same bytes on every device.
#pragma once

#include "kernels/device/device.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {

/// Words 2i and 2i + 1 of a poisoned region, little-endian. All ones are a NaN in every floating-point format.
DETBENCH_HOST_DEVICE constexpr std::uint64_t poison_words(Poison poison, std::uint64_t seed, std::uint64_t i) {
  return poison == Poison::zero          ? 0
         : poison == Poison::nan_pattern ? ~std::uint64_t{0}
                                         : mix64(mix64(seed) + i * 0x9E3779B97F4A7C15u);
}

/// Overwrites host memory.
void poison_on_host(Region region, Poison poison, std::uint64_t seed);

}  // namespace detbench
