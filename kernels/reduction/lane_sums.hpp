// Sums down the 64 virtual lanes of fixed_tree.hpp, vectorized: the building block of every CPU sum of ours. Summand i
// belongs to lane i mod 64; each lane adds its summands in order; then the lanes are folded (step 2 there). The
// instruction set decides how many lanes share a register and nothing else.
#pragma once

#include <cstdint>

#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/lane_accumulators.hpp"
#include "kernels/reduction/summands.hpp"

namespace detbench::reduction {

/// n >= 1 summands of a source in plain lanes.
template <class Source>
typename Source::Accumulator lane_sum(const Source& source, std::int64_t n, Isa isa);

/// n >= 1 elements; T is float or double.
template <class T>
T lane_sum(const T* x, std::int64_t n, Isa isa) {
  return lane_sum(Elements<T>{x}, n, isa);
}

/// One chunk (at most 2048 summands) in lanes of lane_accumulators.hpp: WideLane, KahanLane or NeumaierLane, folded as nodes.
template <class Lane, class Source>
typename Lane::Node chunk_node(const Source& source, std::int64_t n, Isa isa);

}  // namespace detbench::reduction
