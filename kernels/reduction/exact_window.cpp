// Exact partial sums in double where exponents lie close together (window.hpp), the superaccumulator elsewhere: the same
// number as `superaccumulator`, hence the same bits, at the speed of memory for ordinary data.
#include "kernels/reduction/exact_sum.hpp"
#include "kernels/reduction/order_independent_sums.hpp"

namespace detbench::reduction {
namespace {

struct ExactWindow {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    *call.sum = rounded_sum<register_of<Source>>(fill_shared_state<ExactSum<Source>>(
        call, [&](auto& sum, const Source& source, std::int64_t n) { sum.add_windows(source, n, call.isa); }));
    return {};
  }
};

}  // namespace

SumAlgorithm exact_window_sum() {
  SumAlgorithm algorithm =
      sum_algorithm<ExactWindow>("exact_window", claim_by_construction("exact integer sum, rounded once"));
  algorithm.workspace_bytes = superaccumulator_bytes;
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace detbench::reduction
