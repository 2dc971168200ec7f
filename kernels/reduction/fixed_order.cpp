// Sums whose order of additions is a function of the length alone. Threads share the work along lines that the order
// already has, so their number, their schedule and the instruction set cannot reach the bits.
#include <omp.h>

#include <algorithm>

#include "kernels/reduction/fixed_tree.hpp"
#include "kernels/reduction/lane_sums.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

/// A piece is 32 chunks of fixed_tree.hpp, a power of two: its sum is a node of the tree over chunks.
static_assert(piece_elements % chunk_elements == 0 &&
              ((piece_elements / chunk_elements) & (piece_elements / chunk_elements - 1)) == 0);
constexpr int chunks_per_piece = static_cast<int>(piece_elements / chunk_elements);

/// Runs sum_piece(first element, elements) for every piece on the call's threads and puts its result in place
/// `piece` of an array: who computes a piece cannot matter.
template <class T, class Partial, class SumPiece>
Partial* sum_pieces(const SumCall<T>& call, SumPiece&& sum_piece) {
  Partial* partials = static_cast<Partial*>(call.workspace);
#pragma omp parallel for schedule(static) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
    const std::int64_t first = piece * piece_elements;
    partials[piece] = sum_piece(call.x + first, std::min(piece_elements, call.n - first));
  }
  return partials;
}

/// The order of fixed_tree.hpp, the same on CUDA.
template <class T>
Status fixed_tree(const SumCall<T>& call) {
  T* partials = sum_pieces<T, T>(call, [&](const T* x, std::int64_t n) {
    T chunks[chunks_per_piece];
    const std::int64_t count = chunk_count(n);
    for (std::int64_t chunk = 0; chunk < count; ++chunk) {
      const std::int64_t first = chunk * chunk_elements;
      chunks[chunk] = lane_sum(x + first, std::min(chunk_elements, n - first), call.isa);
    }
    return join_pairs(chunks, count);
  });
  *call.sum = canonical_nan(join_pairs(partials, piece_count(call.n)));
  return {};
}

/// The classic two passes: a partial per piece, then the partials from left to right by one thread. The second pass is
/// a chain, so its rounding errors grow with the number of pieces where a tree's grow with its logarithm.
template <class T>
Status two_pass(const SumCall<T>& call) {
  const T* partials = sum_pieces<T, T>(call, [&](const T* x, std::int64_t n) { return lane_sum(x, n, call.isa); });
  T sum = partials[0];
  for (std::int64_t piece = 1; piece < piece_count(call.n); ++piece) sum += partials[piece];
  *call.sum = canonical_nan(sum);
  return {};
}

/// The order of two_pass inside a piece with compensated lanes; pieces meet in a tree, in double. What the
/// compensation costs beside the same order without it is the point.
template <class T>
Status kahan(const SumCall<T>& call) {
  double* partials =
      sum_pieces<T, double>(call, [&](const T* x, std::int64_t n) { return lane_sum_kahan(x, n, call.isa); });
  *call.sum = canonical_nan(static_cast<T>(join_pairs(partials, piece_count(call.n))));
  return {};
}

/// f32 summands, double sums in the same lanes and tree, one rounding to f32 at the end.
Status f64_accumulator(const SumCall<float>& call) {
  double* partials =
      sum_pieces<float, double>(call, [&](const float* x, std::int64_t n) { return lane_sum_in_f64(x, n, call.isa); });
  *call.sum = canonical_nan(static_cast<float>(join_pairs(partials, piece_count(call.n))));
  return {};
}

Result<std::size_t> partials_of_type(const SumProblem& problem, int) {
  return static_cast<std::size_t>(piece_count(problem.n)) * size_of(problem.type);
}
Result<std::size_t> partials_in_f64(const SumProblem& problem, int) {
  return static_cast<std::size_t>(piece_count(problem.n)) * sizeof(double);
}

SumAlgorithm ordered(std::string name, std::string why, Status (*f32)(const SumCall<float>&),
                     Status (*f64)(const SumCall<double>&), Result<std::size_t> (*workspace)(const SumProblem&, int)) {
  SumAlgorithm algorithm;
  algorithm.name = std::move(name);
  algorithm.claim = claim_by_construction(std::move(why));
  algorithm.run_f32 = f32;
  algorithm.run_f64 = f64;
  algorithm.workspace_bytes = workspace;
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace

std::unique_ptr<Provider> make_fixed_order_sums() {
  SumAlgorithm wide =
      ordered("f64_accumulator", "fixed lanes and tree in double", f64_accumulator, nullptr, partials_in_f64);
  wide.missing_type = "f64_accumulator needs a type wider than the summands', and f64 has none here";
  std::vector<TableRow> rows;
  rows.push_back(sum_row(
      ordered("fixed_tree", "fixed lanes, chunks and tree", fixed_tree<float>, fixed_tree<double>, partials_of_type)));
  rows.push_back(sum_row(ordered("two_pass", "fixed pieces, added from left to right", two_pass<float>,
                                 two_pass<double>, partials_of_type)));
  rows.push_back(sum_row(
      ordered("kahan", "fixed lanes with compensation, fixed tree", kahan<float>, kahan<double>, partials_in_f64)));
  rows.push_back(sum_row(std::move(wide)));
  return make_table_provider("fixed_order", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::reduction
