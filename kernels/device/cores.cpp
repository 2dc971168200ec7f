// How many cores this process may use.
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/device/cores.hpp"
#include "kernels/device/device.hpp"

namespace detbench {
namespace {

int cores_of_affinity_mask() {
  // The kernel refuses masks shorter than its own: grow until it fits.
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
    std::vector<unsigned char> storage(CPU_ALLOC_SIZE(bits));
    auto* set = reinterpret_cast<cpu_set_t*>(storage.data());
    if (sched_getaffinity(0, storage.size(), set) == 0) return std::max(1, CPU_COUNT_S(storage.size(), set));
  }
  return 1;
}

std::string own_path(const std::filesystem::path& membership, const std::string& controller) {
  std::ifstream file(membership);  // lines "0::/path" (version 2) or "4:cpu,cpuacct:/path" (version 1)
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controller.empty() ? names == ",," : names.find("," + controller + ",") != std::string::npos)
      return line.substr(second + 1);
  }
  return {};
}

std::optional<double> quota_in(const std::filesystem::path& folder, bool version_2) {
  double quota = 0, period = 0;
  if (version_2) {
    std::ifstream file(folder / "cpu.max");
    std::string text;
    if (!(file >> text >> period) || text == "max") return std::nullopt;
    quota = std::strtod(text.c_str(), nullptr);
  } else {
    std::ifstream a(folder / "cpu.cfs_quota_us"), b(folder / "cpu.cfs_period_us");
    if (!(a >> quota) || !(b >> period)) return std::nullopt;
  }
  if (quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

/// The smallest quota of a group and of all that it lies in.
std::optional<double> smallest_quota(const std::filesystem::path& root, std::filesystem::path path, bool version_2) {
  std::optional<double> smallest;
  for (path = path.relative_path();; path = path.parent_path()) {
    if (const auto quota = quota_in(root / path, version_2)) smallest = std::min(smallest.value_or(*quota), *quota);
    if (path.empty()) return smallest;
  }
}

}  // namespace

std::optional<double> cgroup_cpu_quota(const std::filesystem::path& groups, const std::filesystem::path& membership) {
  if (const auto quota = smallest_quota(groups, own_path(membership, ""), true)) return quota;
  return smallest_quota(groups / "cpu", own_path(membership, "cpu"), false);
}

int available_cores() {
  const int cores = cores_of_affinity_mask();
  const auto quota = cgroup_cpu_quota();
  // Half a core is still one thread; a quota between two counts is not enough for the larger one.
  return quota ? std::clamp(static_cast<int>(std::floor(*quota)), 1, cores) : cores;
}

}  // namespace detbench
