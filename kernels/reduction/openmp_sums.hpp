// The strategies of the provider `openmp`, each in its file: sums in the ways an OpenMP programmer writes them. None fixes
// the order in which partial sums meet.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/reduction/lane_sums.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

/// One piece of the summands, in the one order that all pieces of all unordered algorithms have.
template <class Source>
typename Source::Accumulator piece_sum(const SumCall<Source>& call, std::int64_t piece) {
  const std::int64_t first = piece * piece_elements;
  return lane_sum(call.source.from(first), std::min(piece_elements, call.n - first), call.isa);
}

SumAlgorithm openmp_reduction_static();
SumAlgorithm openmp_reduction_dynamic();
SumAlgorithm openmp_reduction_guided();
SumAlgorithm openmp_thread_partials();
SumAlgorithm openmp_thread_partials_atomic();
SumAlgorithm openmp_chunk_atomic_static();
SumAlgorithm openmp_chunk_atomic_dynamic();
SumAlgorithm openmp_atomic_per_element();

}  // namespace detbench::reduction
