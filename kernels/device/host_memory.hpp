// How much memory this process may still allocate on the host.
#pragma once

#include <cstdint>

#include "kernels/result.hpp"

namespace detbench {

/// The lesser of what the kernel calls available (/proc/meminfo: MemAvailable) and what the control group's limit leaves
/// (version 2: memory.max less memory.current). A reason when the first cannot be read.
Result<std::uint64_t> available_host_memory_bytes();

}  // namespace detbench
