#include "kernels/device/host_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace detbench {

Result<std::uint64_t> available_host_memory_bytes() {
  std::uint64_t available = 0;
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key; meminfo.ignore(256, '\n'))
    if (std::uint64_t kib = 0; key == "MemAvailable:" && meminfo >> kib) available = kib * 1024;
  if (available == 0) return failure("/proc/meminfo does not say how much memory is available");
  std::uint64_t limit = 0, used = 0;
  // "max", where nothing is limited, is no number and leaves the figure as it is. What the group's page cache holds counts
  // as used although it would be given back, so this errs on the careful side.
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && std::ifstream("/sys/fs/cgroup/memory.current") >> used)
    available = std::min(available, limit > used ? limit - used : 0);
  return available;
}

void advise_huge_pages(void* memory, std::size_t bytes) {
  // Below this a huge page saves little and may cost most of itself.
  constexpr std::size_t least_bytes = std::size_t{4} << 20;
  if (bytes < least_bytes) return;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t begin = (address + page - 1) / page * page, end = (address + bytes) / page * page;
  // Refused where the kernel has none; nothing depends on it.
  static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
}

}  // namespace detbench
