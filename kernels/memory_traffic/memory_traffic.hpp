// The operations `memory_read`, `memory_write` and `memory_copy`: what this machine's memory gives, measured in the same
// run and by the same instrument as everything that is limited by it. They are the roofs of the report's rooflines.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// Shape "n67108864": bytes of the buffer, a multiple of 16; layout "vector". Types: memory_read f32_i64_strict (the sum
/// of the buffer's 64-bit words mod 2^64, whatever floats they hold), the others f32_f32_strict.
/// memory_read: input "src", output "sum" {1}; n bytes read. memory_write: output "dst", every byte 0x5A; n bytes
/// written. memory_copy: "src" to "dst"; n read and n written.
struct MemoryTrafficProblem {
  std::int64_t bytes = 0;
  std::int64_t floats() const { return bytes / 4; }
};
Result<MemoryTrafficProblem> parse_memory_traffic(const Problem& problem);

/// The problem of `op` for a buffer of so many bytes, rounded up to a multiple of 16.
Problem memory_traffic_problem(std::string_view op, std::int64_t bytes);

/// Providers: memory_traffic on both kinds of device; libc (memset, memcpy in all threads) on a CPU; cuda_runtime
/// (cudaMemsetAsync, cudaMemcpyAsync) on CUDA.
std::vector<std::unique_ptr<Operation>> make_memory_traffic_operations();

}  // namespace detbench
