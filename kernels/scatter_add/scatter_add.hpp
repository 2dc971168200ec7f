// The operation `scatter_add`: n values are added into `bins` targets that their indices name. The gradient of a gather
// or an embedding, a weighted histogram, and the shape of every reduction whose targets data decides.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// Problems "scatter_add/nN_binsB_hotH/f32_f32_strict/vector": N from 1 to 2^30 updates, B from 1 to 2^24 bins, H hot
/// bins, 0 or a power of two up to B. Inputs "values" f32 {N} and "indices" i32 {N}; output "dst" f32 {B}, zero before
/// the first update.
///
/// Contention: with hot0 indices are uniform over the bins. Otherwise they are uniform over 0 .. 2B-1, and an index at
/// or above B names hot bin (index - B) mod H, so that bins 0 .. H-1 receive half of all updates beside their share of
/// the rest; every algorithm pays the same comparison and mask for it. Providers: on a CPU openmp, fixed_order,
/// order_independent; on CUDA cuda_atomic, cuda_fixed.
std::unique_ptr<Operation> make_scatter_add_operation();

}  // namespace detbench
