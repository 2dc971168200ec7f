// Guard zones: bytes of a known pattern before and behind a buffer, so that writes outside it show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/tensor/host_device.hpp"

namespace detbench {

inline constexpr std::size_t guard_bytes = 4096;

/// The pattern changes from byte to byte, so that a kernel which writes a constant, zeros or NaNs cannot repeat it for
/// long.
DETBENCH_HOST_DEVICE constexpr unsigned char guard_byte(std::size_t position) {
  return static_cast<unsigned char>(0xA5u ^ (position * 37u) ^ (position >> 8));
}

/// Fills guard memory; `position` counts from the start of the zone.
void write_guard(void* zone, std::size_t bytes);
/// Position of the first byte of the zone that is not the pattern's.
std::optional<std::size_t> find_damage(const void* zone, std::size_t bytes);

}  // namespace detbench
