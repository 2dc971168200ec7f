// Every summand goes into the superaccumulator by itself: the plain method, whatever the exponents. Sums are exact until
// they are rounded once, so there is no order to speak of.
#include "kernels/reduction/exact_sum.hpp"
#include "kernels/reduction/order_independent_sums.hpp"

namespace detbench::reduction {
namespace {

struct EachExactly {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    *call.sum = rounded_sum<register_of<Source>>(fill_shared_state<ExactSum<Source>>(
        call, [](auto& sum, const Source& source, std::int64_t n) { sum.add_each(source, n); }));
    return {};
  }
};

}  // namespace

SumAlgorithm superaccumulator_sum() {
  SumAlgorithm algorithm =
      sum_algorithm<EachExactly>("superaccumulator", claim_by_construction("exact integer sum, rounded once"));
  algorithm.workspace_bytes = superaccumulator_bytes;
  return algorithm;
}

}  // namespace detbench::reduction
