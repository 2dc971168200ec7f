// The operation `fma_rate`: how many fused multiply-adds in f32 this machine does in a second where nothing else holds it
// up. It is the roof of sums of products in strict f32, which are made of nothing else, and of every fixed order of ours.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// Shape "n131072_k4096": n chains, independent of each other, of k dependent steps x <- fma(x, x, -1.9). Types
/// f32_f32_strict, layout "vector". Input "src" {n}, each x before the first step, in [-1, 1); output "dst" {n}, after
/// the last. 2 n k operations on 8 n bytes: any k over some hundreds is bound by arithmetic.
struct FmaRateProblem {
  std::int64_t chains = 0, steps = 0;
  double flops() const { return 2.0 * static_cast<double>(chains) * static_cast<double>(steps); }
};
Result<FmaRateProblem> parse_fma_rate(const Problem& problem);
Problem fma_rate_problem(std::int64_t chains, std::int64_t steps);

/// Provider fixed_order, algorithm chains: on a CPU in the widest instruction set that DETBENCH_ISA allows, and on CUDA.
/// A chain has one order, so its bits are the same everywhere.
std::unique_ptr<Operation> make_fma_rate_operation();

}  // namespace detbench
