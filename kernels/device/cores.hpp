// The CPU quota of this process's control group.
#pragma once

#include <filesystem>
#include <optional>

namespace detbench {

/// CPUs' worth of time per unit of time that the control group of this process and the groups around it allow (cgroup
/// versions 1 and 2); nullopt when nothing limits it.
std::optional<double> cgroup_cpu_quota(const std::filesystem::path& groups = "/sys/fs/cgroup",
                                       const std::filesystem::path& membership = "/proc/self/cgroup");

}  // namespace detbench
