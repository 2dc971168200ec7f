// Where a buffer starts inside its allocation: shared by the CPU and CUDA devices.
#pragma once

#include "kernels/device/device.hpp"

namespace detbench {

/// Checks alignment (a power of two, at most 1 GiB) and offset (below 1 GiB).
Status check_placement(const DeviceConfiguration& configuration);

/// Bytes to allocate and, given the allocation's address, where the region starts. In front of the region lie at least
/// guard_bytes, and behind it too. With a placement seed, allocation number `count` starts a seeded gap later. The
/// configuration's offset is rounded up to a multiple of `element_bytes`.
struct Placement {
  std::size_t allocation_bytes = 0;
  std::size_t gap_bytes = 0;
  std::size_t alignment_bytes = 1;
  std::size_t offset_bytes = 0;
  std::uintptr_t start(std::uintptr_t allocation) const;
};
/// Fails with out_of_memory when the sizes do not fit into the address space, with invalid_input when element_bytes is no
/// power of two up to 64.
Result<Placement> place(const DeviceConfiguration& configuration, std::size_t bytes, std::size_t element_bytes,
                        std::uint64_t count);

}  // namespace detbench
