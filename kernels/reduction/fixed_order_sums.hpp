// The CPU's strategies of the provider `fixed_order`, each in its file: sums whose order of additions is a function of the
// length alone. Threads share the work along lines that the order already has, so their number, their schedule and the
// instruction set cannot reach the bits.
#pragma once

#include <algorithm>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/lane_sums.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {

SumAlgorithm fixed_tree_sum();
SumAlgorithm two_pass_sum();
SumAlgorithm last_block_sum();
SumAlgorithm kahan_sum();
SumAlgorithm neumaier_sum();
SumAlgorithm f64_accumulator_sum();

/// A piece is 32 chunks of fixed_tree.hpp, a power of two: its sum is a node of the tree over chunks.
inline constexpr int chunks_per_piece = static_cast<int>(piece_elements / chunk_elements);
static_assert(piece_elements % chunk_elements == 0 && (chunks_per_piece & (chunks_per_piece - 1)) == 0);

/// The order of fixed_tree.hpp with nodes of type Node: `node_of(source, n)` is the node of one chunk. The pieces' nodes
/// are left in the workspace, one after the other; who computes a piece cannot matter.
template <class Node, class Source, class NodeOf>
Node sum_by_tree(const SumCall<Source>& call, NodeOf&& node_of) {
  Node* pieces = static_cast<Node*>(call.workspace);
#pragma omp parallel for schedule(static) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
    const std::int64_t begin = piece * piece_elements, n = std::min(piece_elements, call.n - begin);
    Node chunks[chunks_per_piece];
    const std::int64_t count = chunk_count(n);
    for (std::int64_t chunk = 0; chunk < count; ++chunk) {
      const std::int64_t first = chunk * chunk_elements;
      chunks[chunk] = node_of(call.source.from(begin + first), std::min(chunk_elements, n - first));
    }
    pieces[piece] = join_pairs(chunks, count);
  }
  return join_pairs(pieces, piece_count(call.n));
}

/// The tree with lanes of lane_accumulators.hpp that keep more than a sum; one rounding to the result at the end.
template <class Lane, class Source>
Status sum_by_lanes(const SumCall<Source>& call) {
  using Node = typename Lane::Node;
  const Node root = sum_by_tree<Node>(
      call, [&](const Source& source, std::int64_t n) { return chunk_node<Lane>(source, n, call.isa); });
  *call.sum = canonical_nan(static_cast<typename Source::Accumulator>(value_of_node(root)));
  return {};
}

template <class Kernel>
SumAlgorithm fixed_order_algorithm(const char* name, const char* why, Result<std::size_t> (*workspace)(const SumProblem&, int)) {
  SumAlgorithm algorithm = sum_algorithm<Kernel>(name, claim_by_construction(why));
  algorithm.workspace_bytes = workspace;
  algorithm.has_isa = true;
  return algorithm;
}

/// Workspace of sum_by_lanes(): doubles, or pairs of them for f64.
inline Result<std::size_t> wide_nodes_bytes(const SumProblem& problem, int) {
  const std::size_t node = problem.accumulator == DataType::f64 ? sizeof(CompensatedNode) : sizeof(double);
  return static_cast<std::size_t>(piece_count(problem.n)) * node;
}

}  // namespace detbench::reduction
