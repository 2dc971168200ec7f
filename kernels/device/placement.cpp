#include "kernels/device/placement.hpp"

#include <algorithm>
#include <bit>

#include "kernels/device/guard.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

constexpr std::size_t largest_alignment = std::size_t{1} << 30;

}  // namespace

Status check_placement(const DeviceConfiguration& configuration) {
  if (!std::has_single_bit(configuration.alignment_bytes) || configuration.alignment_bytes > largest_alignment)
    return invalid_input("alignment_bytes " + std::to_string(configuration.alignment_bytes) +
                         " is not a power of two in [1, 2^30]");
  if (configuration.offset_bytes >= largest_alignment)
    return invalid_input("offset_bytes " + std::to_string(configuration.offset_bytes) + " is not below 2^30");
  return {};
}

std::uintptr_t Placement::start(std::uintptr_t allocation) const {
  const std::uintptr_t earliest = allocation + guard_bytes + gap_bytes;
  return (earliest + alignment_bytes - 1) / alignment_bytes * alignment_bytes + offset_bytes;
}

Result<Placement> place(const DeviceConfiguration& configuration, std::size_t bytes, std::size_t element_bytes,
                        std::uint64_t count) {
  if (!std::has_single_bit(element_bytes) || element_bytes > 64)
    return invalid_input("element_bytes " + std::to_string(element_bytes) + " is not a power of two in [1, 64]");
  Placement placement;
  // No element may straddle its own alignment: GPUs trap such an access, and libraries take it for impossible.
  placement.alignment_bytes = std::max(configuration.alignment_bytes, element_bytes);
  placement.offset_bytes = (configuration.offset_bytes + element_bytes - 1) / element_bytes * element_bytes;
  if (configuration.placement_seed != 0) {
    // Whole multiples of the alignment, and of a cache line, so that only the address changes and not what it is
    // aligned to.
    const std::size_t unit = std::max<std::size_t>(placement.alignment_bytes, 64);
    placement.gap_bytes = (1 + mix64(configuration.placement_seed + mix64(count)) % 61) * unit;
  }
  const std::size_t around = 2 * guard_bytes + placement.gap_bytes + placement.alignment_bytes + placement.offset_bytes;
  if (bytes > SIZE_MAX / 2 - around)
    return failure("a buffer of " + std::to_string(bytes) + " bytes does not fit into the address space",
                   Reason::Kind::out_of_memory);
  placement.allocation_bytes = bytes + around;
  return placement;
}

}  // namespace detbench
