#include "kernels/device/host_memory.hpp"

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

}  // namespace detbench
