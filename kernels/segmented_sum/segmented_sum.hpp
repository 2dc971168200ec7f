// The operation `segmented_sum`: a vector cut into segments, one sum for each. Row sums where the segments are equal, and the
// sums of ragged batches and sorted keys where they are not.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// Problems "segmented_sum/nN_segS[_skewed][_uniform|_wide|_cancelling]/TYPES/vector": N elements (1 to 2^34) in S segments
/// (1 to 2^24). Inputs "src" {N} of the stored type and "cuts" i64 {S+1}, each in 0 .. 2^20-1; output "dst" {S} of the
/// accumulator's type. TYPES f32_f32_strict, f64_f64_strict, f16_f32_strict, bf16_f32_strict.
///
/// Without a word segments are as equal as they can be; "_equal" says the same. Skewed lengths follow from the cuts
/// (segments.hpp): one segment has at least half of all elements, every fourth is empty, the others vary. A segment's sum
/// begins as +0: without elements it is +0.
///
/// Providers: fixed_order and order_independent on both kinds of device, with the same bits; openmp on a CPU; cuda_atomic and
/// cub on CUDA.
std::unique_ptr<Operation> make_segmented_sum_operation();

}  // namespace detbench
