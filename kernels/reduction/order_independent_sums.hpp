// The CPU's strategies of the provider `order_independent`, each in its file. Threads take pieces as they come and join
// their integer states by atomics, on purpose: nothing of that can reach the bits.
#pragma once

#include <algorithm>

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

SumAlgorithm exact_window_sum();
SumAlgorithm superaccumulator_sum();
SumAlgorithm binned_sum();

/// Fills `slots` shared slots: every thread has a State and calls add_piece(state, source, n) for its pieces.
template <class State, class Source, class AddPiece>
std::int64_t* fill_shared_state(const SumCall<Source>& call, AddPiece&& add_piece) {
  auto* shared = static_cast<std::int64_t*>(call.workspace);
  std::fill(shared, shared + State::Slots::slots, 0);
#pragma omp parallel num_threads(call.threads)
  {
    State state;
#pragma omp for schedule(dynamic) nowait
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
      const std::int64_t first = piece * piece_elements;
      add_piece(state, call.source.from(first), std::min(piece_elements, call.n - first));
    }
    state.join_into(shared);
  }
  return shared;
}

}  // namespace detbench::reduction
