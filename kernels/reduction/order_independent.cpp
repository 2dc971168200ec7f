// Sums that have no order: exact integer accumulation, rounded once. Threads take pieces as they come and join their
// accumulators by atomics, on purpose: nothing of that can reach the bits.
#include <algorithm>

#include "kernels/reduction/exact_sum.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

template <class T, class AddPiece>
Status exact(const SumCall<T>& call, AddPiece&& add_piece) {
  using Slots = Superaccumulator<T>;
  auto* shared = static_cast<std::int64_t*>(call.workspace);
  std::fill(shared, shared + Slots::slots, 0);
#pragma omp parallel num_threads(call.threads)
  {
    ExactSum<T> sum;
#pragma omp for schedule(dynamic) nowait
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
      const std::int64_t first = piece * piece_elements;
      add_piece(sum, call.x + first, std::min(piece_elements, call.n - first));
    }
    sum.join_into(shared);
  }
  *call.sum = rounded_sum<T>(shared);
  return {};
}

/// Every summand goes into the superaccumulator by itself: the plain method, whatever the exponents.
template <class T>
Status superaccumulator(const SumCall<T>& call) {
  return exact(call, [](ExactSum<T>& sum, const T* x, std::int64_t n) { sum.add_each(x, n); });
}

/// Exact partial sums in double where exponents lie close together (window.hpp), the superaccumulator elsewhere: the
/// same number, hence the same bits, at the speed of memory for ordinary data.
template <class T>
Status exact_window(const SumCall<T>& call) {
  return exact(call, [&](ExactSum<T>& sum, const T* x, std::int64_t n) { sum.add_windows(x, n, call.isa); });
}

}  // namespace

std::unique_ptr<Provider> make_order_independent_sums() {
  const Claim claim = claim_by_construction("exact integer sum, rounded once");
  SumAlgorithm window{"exact_window", claim, exact_window<float>, exact_window<double>, superaccumulator_bytes};
  window.has_isa = true;
  std::vector<TableRow> rows;
  rows.push_back(sum_row(std::move(window)));
  rows.push_back(
      sum_row({"superaccumulator", claim, superaccumulator<float>, superaccumulator<double>, superaccumulator_bytes}));
  return make_table_provider("order_independent", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::reduction
