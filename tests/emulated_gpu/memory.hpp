// The emulated GPU's memory: host memory in an address range of its own, every allocation apart from the next, so that an access
// past an end or after a release finds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <shared_mutex>

#include "tests/emulated_gpu/machine.hpp"

namespace detbench::emulated {

/// All functions may be called from any thread.
class DeviceMemory final : public GlobalMemory {
 public:
  static constexpr std::size_t capacity_bytes = std::size_t{4} << 30;

  enum class Kind { device, pinned_host };

  /// Device memory full of NaNs at a multiple of 256 bytes that is none of 512, as CUDA promises no more; nullptr: none left.
  /// `live`: kernels may use it at once, else from set_live() on.
  void* allocate(std::size_t bytes, bool live);
  /// Host memory that kernels may use; nullptr: none left.
  void* allocate_host(std::size_t bytes);
  /// Whether `address` is the start of an allocation of this kind.
  bool starts(const void* address, Kind kind) const;
  /// Unmaps what starts there: the host, too, faults on it afterwards.
  void release(void* address);
  /// Lets kernels reach the allocation that starts there, or no longer.
  void set_live(const void* address, bool live);

  std::size_t used_bytes() const;
  /// Whether [address, address + bytes) lies in one allocation of this kind, live or not.
  bool holds(const void* address, std::size_t bytes, Kind kind) const;
  /// Whether the range and device memory have a byte in common.
  bool touches_device(const void* address, std::size_t bytes) const;

  std::array<std::uintptr_t, 2> allocation_of(std::uintptr_t address) const override;

 private:
  struct Allocation {
    std::uintptr_t end;
    Kind kind;
    bool live;
    std::uintptr_t first_page, end_page;
  };
  using Allocations = std::map<std::uintptr_t, Allocation>;
  Allocations::const_iterator around(std::uintptr_t address) const;

  mutable std::shared_mutex mutex_;
  Allocations allocations_;
  std::uintptr_t arena_ = 0, next_ = 0, arena_end_ = 0;
  std::size_t used_bytes_ = 0;
};

}  // namespace detbench::emulated
