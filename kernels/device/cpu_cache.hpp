// Cache sizes of this machine, for writing more than they hold.
#pragma once

#include <cstddef>
#include <filesystem>

namespace detbench {

/// Bytes of all last-level caches together plus all caches below them, from the kernel's description of the processors
/// under `cpus`; 0 when it says nothing.
std::size_t total_cache_bytes(const std::filesystem::path& cpus = "/sys/devices/system/cpu");

}  // namespace detbench
