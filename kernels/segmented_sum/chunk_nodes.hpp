// Sums of windows on a CPU: the tree of kernels/reduction/fixed_tree.hpp over chunks, with any lane of lane_accumulators.hpp.
#pragma once

#include <algorithm>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/lane_sums.hpp"
#include "kernels/segmented_sum/segmented_problem.hpp"

namespace detbench::segmented_sum {

/// Lanes that keep a plain sum in the accumulator's type.
template <class S>
using Plain = reduction::PlainLane<typename Call<S>::Sum>;

template <class Lane, class S>
typename Lane::Node chunk_node(const S* x, std::int64_t n, reduction::Isa isa) {
  if constexpr (std::is_same_v<Lane, Plain<S>>) return reduction::lane_sum(reduction::Elements<S>{x}, n, isa);
  else return reduction::chunk_node<Lane>(reduction::Elements<S>{x}, n, isa);
}

/// The tree over the chunks of at most one window, at least one element.
template <class Lane, class S>
typename Lane::Node window_node(const S* x, std::int64_t n, reduction::Isa isa) {
  typename Lane::Node nodes[cpu_window / reduction::chunk_elements];
  std::int64_t chunks = 0;
  for (std::int64_t first = 0; first < n; first += reduction::chunk_elements, ++chunks)
    nodes[chunks] = chunk_node<Lane>(x + first, std::min(reduction::chunk_elements, n - first), isa);
  return reduction::join_pairs(nodes, chunks);
}

/// The tree of fewer elements than there are lanes, one in a lane: step 2 alone, without the additions of what is absent, which
/// change nothing. Many segments are that short, and clearing 64 lanes would be most of the work.
template <class S>
typename Call<S>::Sum short_tree(const S* x, std::int64_t n) {
  typename Call<S>::Sum lanes[reduction::lane_count];
  for (std::int64_t i = 0; i < n; ++i) lanes[i] = reduction::widened(x[i]);
  for (std::int64_t stride = reduction::lane_count / 2; stride > 0; stride /= 2) {
    for (std::int64_t lane = 0; lane + stride < n; ++lane) lanes[lane] += lanes[lane + stride];
    n = std::min(n, stride);
  }
  return lanes[0];
}
/// The node of a short segment, at least one element.
template <class Lane, class S>
typename Lane::Node segment_node(const S* x, std::int64_t n, reduction::Isa isa) {
  if constexpr (std::is_same_v<Lane, Plain<S>>)
    if (n < reduction::lane_count) return short_tree(x, n);
  return window_node<Lane>(x, n, isa);
}

/// What a segment's root becomes as output: a sum begins as +0.
template <class Sum, class Node>
Sum finished(const Node& root) {
  return reduction::canonical_nan(Sum(0) + static_cast<Sum>(reduction::value_of_node(root)));
}

}  // namespace detbench::segmented_sum
