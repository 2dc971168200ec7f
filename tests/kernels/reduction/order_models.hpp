// The orders and methods of kernels/reduction written down a second time, plainly, over a vector of summands: what the
// vectorized and parallel forms are held against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "exact_oracle.hpp"

namespace detbench::testing {

/// The tree that joins neighbours, by recursion over the largest power of two below the count.
template <class Node, class Join>
Node joined_tree(const std::vector<Node>& leaves, std::size_t first, std::size_t count, const Join& join) {
  if (count == 1) return leaves[first];
  std::size_t left = 1;
  while (2 * left < count) left *= 2;
  return join(joined_tree(leaves, first, left, join), joined_tree(leaves, first + left, count - left, join));
}

/// Lanes folded by recursion: lane l with lane l + stride.
template <class Node, class Join>
Node folded_lanes(const std::vector<Node>& lanes, std::size_t lane, std::size_t stride, const Join& join) {
  if (stride == lanes.size()) return lanes[lane];
  return join(folded_lanes(lanes, lane, 2 * stride, join), folded_lanes(lanes, lane + stride, 2 * stride, join));
}

/// Chunks of 2048, lanes of 64, fold, tree: `lane_node(summands of one lane, in order)` is what a lane gives.
template <class Node, class A, class LaneNode, class Join>
Node chunked_tree(const std::vector<A>& x, const LaneNode& lane_node, const Join& join) {
  std::vector<Node> chunks;
  for (std::size_t first = 0; first < x.size(); first += 2048) {
    std::vector<Node> lanes;
    for (std::size_t lane = 0; lane < 64; ++lane) {
      std::vector<A> own;
      for (std::size_t i = first + lane; i < std::min(x.size(), first + 2048); i += 64) own.push_back(x[i]);
      lanes.push_back(lane_node(own));
    }
    chunks.push_back(folded_lanes(lanes, 0, 1, join));
  }
  return joined_tree(chunks, 0, chunks.size(), join);
}

template <class A>
A plain_tree(const std::vector<A>& x) {
  return chunked_tree<A>(
      x,
      [](const std::vector<A>& own) {
        A sum = -A(0);
        for (A value : own) sum += value;
        return sum;
      },
      [](A a, A b) { return a + b; });
}

/// What a + b loses, by Dekker's comparison: (larger - sum) + smaller.
template <class A>
A lost_by_addition(A a, A b) {
  const A sum = a + b;
  return std::abs(a) >= std::abs(b) ? (a - sum) + b : (b - sum) + a;
}

/// Kahan's sum of one lane as (sum, what it is too large by).
template <class A>
std::pair<A, A> kahan_lane(const std::vector<A>& own) {
  A sum = -A(0), excess = 0;
  for (A value : own) {
    const A wanted = value - excess, next = sum + wanted;
    excess = (next - sum) - wanted;
    sum = next;
  }
  return {sum, excess};
}
template <class A>
std::pair<A, A> neumaier_lane(const std::vector<A>& own) {
  A sum = -A(0), lost = 0;
  for (A value : own) {
    lost += lost_by_addition(sum, value);
    sum += value;
  }
  return {sum, -lost};
}

/// The compensated trees: f32 nodes meet as doubles, f64 nodes as pairs.
template <class A>
A compensated_tree(const std::vector<A>& x, std::pair<A, A> (*lane)(const std::vector<A>&)) {
  if constexpr (sizeof(A) == 4) {
    return static_cast<A>(chunked_tree<double>(
        x,
        [&](const std::vector<A>& own) {
          const auto [sum, excess] = lane(own);
          return static_cast<double>(sum) - static_cast<double>(excess);
        },
        [](double a, double b) { return a + b; }));
  } else {
    using Pair = std::pair<double, double>;
    const Pair root = chunked_tree<Pair>(x, lane, [](const Pair& a, const Pair& b) {
      return Pair{a.first + b.first, (a.second + b.second) - lost_by_addition(a.first, b.first)};
    });
    return root.first - root.second;
  }
}

/// The order of a grid of 1024 blocks of 256 threads with 4 lanes each, thread by thread.
template <class A>
A grid_order(const std::vector<A>& x) {
  const auto block_tree = [](const std::vector<A>& lanes) {  // 1024 of them: 256 threads by 4
    std::vector<A> threads;
    for (std::size_t t = 0; t < 256; ++t)
      threads.push_back((lanes[4 * t] + lanes[4 * t + 2]) + (lanes[4 * t + 1] + lanes[4 * t + 3]));
    std::vector<A> warps;
    for (std::size_t w = 0; w < 8; ++w)
      warps.push_back(folded_lanes(std::vector<A>(threads.begin() + 32 * w, threads.begin() + 32 * (w + 1)), 0, 1,
                                   [](A a, A b) { return a + b; }));
    return folded_lanes(warps, 0, 1, [](A a, A b) { return a + b; });
  };
  std::vector<A> partials(1024, -A(0));  // of a block without a summand: 1024 times -0 is -0
  for (std::size_t block = 0; block < 1024 && block * 1024 < x.size(); ++block) {
    std::vector<A> lanes(1024, -A(0));
    for (std::size_t lane = 0; lane < 1024; ++lane)
      for (std::size_t i = block * 1024 + lane; i < x.size(); i += std::size_t{1} << 20) lanes[lane] += x[i];
    partials[block] = block_tree(lanes);
  }
  return block_tree(partials);
}

/// The binned sum by exact integers. `terms` are what is sliced, finite and not all zero; `largest` the largest rounded
/// summand's magnitude. width and first_unit are the grid's; a slice is rounded half away from zero, because the bit that
/// is set before rounding lies on that side.
template <class T>
T binned_model(const std::vector<double>& terms, double largest, int width, int first_unit, int top_bins) {
  int top = 0;
  while (top + 1 < top_bins && largest < std::ldexp(1.0, width - 1 + first_unit - width * (top + 1))) ++top;
  BigFixed total;
  for (double term : terms)
    for (int k = 0; k < 3; ++k) {
      const int unit = first_unit - width * (top + k);
      const double units = std::round(std::ldexp(term, -unit));
      total.add_scaled(static_cast<std::int64_t>(units), unit);
      term -= std::ldexp(units, unit);
    }
  return nearest<T>(total);
}

}  // namespace detbench::testing
