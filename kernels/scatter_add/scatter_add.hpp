// Sums whose targets data decides: n updates are added into `bins` targets. The gradient of a gather or an embedding,
// a weighted histogram, and the shape of every reduction in which it is not known beforehand who meets whom.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// "scatter_add/nN_binsB_hotH[_LAYOUT][_DISTRIBUTION]/TYPES/vector": N from 1 to 2^30 updates, B from 1 to 2^24 bins, H
/// hot bins, 0 or a power of two up to B. Inputs "values" {N} and "indices" i32 {N}; output "dst" {B}, zero before the
/// first update. TYPES are stored type and type of the bins: f32_f32_strict, f64_f64_strict, f16_f32_strict,
/// bf16_f32_strict, and f16_f16_strict, bf16_bf16_strict, where atomics round to 16 bits at every addition and all
/// others add in f32 and round to f32 and then to 16 bits once, at the end.
///
/// Contention: without a word and with hot0 indices are uniform over the bins. With hot bins they are uniform over
/// 0 .. 2B-1, and an index at or above B names hot bin (index - B) mod H, so that bins 0 .. H-1 receive half of all
/// updates beside their share of the rest. LAYOUT adjacent, spread, pairs, zipf: see targets.hpp. DISTRIBUTION of the
/// values: kernels/reduction/distribution.hpp.
///
/// Providers: on a CPU openmp; on CUDA cuda_atomic; on both, with the same bits, fixed_order and order_independent.
std::unique_ptr<Operation> make_scatter_add_operation();

/// "index_add/nN_binsB_dD[_hotH][_LAYOUT][_DISTRIBUTION]/TYPES/vector": the same for rows of D contiguous values, D up to
/// 4096, N * D up to 2^30, B * D up to 2^24. "values" {N, D}, "indices" {N}, "dst" {B, D}.
std::unique_ptr<Operation> make_index_add_operation();

/// "weighted_histogram/nN_binsB[_DISTRIBUTION]/TYPES/vector": "weights" {N} are added to the bins that "samples" {N}, f32
/// and uniform in [-1, 1), fall into (bin_of_sample() in targets.hpp). "dst" {B}.
std::unique_ptr<Operation> make_weighted_histogram_operation();

}  // namespace detbench
