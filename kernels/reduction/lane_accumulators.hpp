// What a virtual lane of fixed_tree.hpp keeps while it adds its summands one after the other, and what it hands to the
// tree. The same on CPU, CUDA and in tests.
//
//   PlainLane<A>     a running sum in A; its node is that sum.
//   WideLane         f32 and 16-bit summands as wide(i), exact, into a running sum in double.
//   KahanLane<A>     Kahan's sum in A: the loss of each addition is taken off the next summand (CACM 8, 1965).
//   NeumaierLane<A>  the losses are added up beside the sum (ZAMM 54, 1974); Knuth's form of the exact loss of an addition
//                    has no branch and finds the same number as Neumaier's comparison.
//
// Nodes of f32 sums are doubles: sum - loss, which holds 53 of their 48 bits and rarely rounds; they meet in double and
// are rounded to f32 once, at the end. Nodes of f64 sums stay pairs (CompensatedNode), whose losses are carried on.
// All begin at -0.0, so that an empty lane adds nothing to anything. An infinite summand makes a compensated sum NaN, as
// the methods have it (infinity - infinity).
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench::reduction {

/// sum + b's rounding error, exactly: sum + b = total + error (Knuth, TAOCP 2, 4.2.2, theorem B).
template <class A>
DETBENCH_HOST_DEVICE inline A addition_error(A sum, A b, A total) {
  const A b_there = total - sum;
  return (sum - (total - b_there)) + (b - b_there);
}

/// An f64 node of a compensated tree: its value is sum - loss. Joining adds the sums, the losses, and takes off the error
/// of this addition.
struct CompensatedNode {
  double sum, loss;
  DETBENCH_HOST_DEVICE friend CompensatedNode operator+(CompensatedNode a, CompensatedNode b) {
    const double total = a.sum + b.sum;
    return {total, (a.loss + b.loss) - addition_error(a.sum, b.sum, total)};
  }
  DETBENCH_HOST_DEVICE CompensatedNode& operator+=(CompensatedNode b) { return *this = *this + b; }
};

/// The identity of addition: -0.0 leaves every other value unchanged when added to it, -0.0 included.
template <class Node>
DETBENCH_HOST_DEVICE constexpr Node absent_value() {
  if constexpr (requires(Node n) { n.loss; })
    return {-0.0, 0.0};
  else
    return -Node(0);
}

/// A root as one number of the node's precision.
DETBENCH_HOST_DEVICE inline float value_of_node(float node) { return node; }
DETBENCH_HOST_DEVICE inline double value_of_node(double node) { return node; }
DETBENCH_HOST_DEVICE inline double value_of_node(CompensatedNode node) { return node.sum - node.loss; }

namespace detail {
DETBENCH_HOST_DEVICE inline double compensated_node(float sum, float loss) {
  return static_cast<double>(sum) - static_cast<double>(loss);
}
DETBENCH_HOST_DEVICE inline CompensatedNode compensated_node(double sum, double loss) { return {sum, loss}; }
}  // namespace detail

template <class A>
struct PlainLane {
  using Summand = A;
  using Node = A;
  static constexpr bool is_wide = false;  ///< takes wide(i) instead of at(i)
  A sum = -A(0);
  DETBENCH_HOST_DEVICE void add(A value) { sum += value; }
  DETBENCH_HOST_DEVICE Node node() const { return sum; }
};

struct WideLane {
  using Summand = double;
  using Node = double;
  static constexpr bool is_wide = true;
  double sum = -0.0;
  DETBENCH_HOST_DEVICE void add(double value) { sum += value; }
  DETBENCH_HOST_DEVICE Node node() const { return sum; }
};

template <class A>
struct KahanLane {
  using Summand = A;
  using Node = decltype(detail::compensated_node(A(), A()));
  static constexpr bool is_wide = false;
  A sum = -A(0), loss = A(0);
  DETBENCH_HOST_DEVICE void add(A value) {
    const A corrected = value - loss, total = sum + corrected;
    loss = (total - sum) - corrected;
    sum = total;
  }
  DETBENCH_HOST_DEVICE Node node() const { return detail::compensated_node(sum, loss); }
};

template <class A>
struct NeumaierLane {
  using Summand = A;
  using Node = decltype(detail::compensated_node(A(), A()));
  static constexpr bool is_wide = false;
  A sum = -A(0), loss = A(0);
  DETBENCH_HOST_DEVICE void add(A value) {
    const A total = sum + value;
    loss -= addition_error(sum, value, total);
    sum = total;
  }
  DETBENCH_HOST_DEVICE Node node() const { return detail::compensated_node(sum, loss); }
};

/// Summand i of a source as a lane takes it.
template <class Lane, class Source>
DETBENCH_HOST_DEVICE inline typename Lane::Summand lane_summand(const Source& source, std::int64_t i) {
  if constexpr (Lane::is_wide)
    return source.wide(i);
  else
    return source.at(i);
}

}  // namespace detbench::reduction
