// The reproducible binned sum (binned_sum.hpp): not exact, but its error does not depend on any order either. It needs no
// wide accumulator and no second look at the data, whatever their exponents, so it is the strategy with an even speed.
#include "kernels/reduction/binned_window.hpp"
#include "kernels/reduction/order_independent_sums.hpp"

namespace detbench::reduction {
namespace {

struct Binned {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    *call.sum = rounded_bins<binned_type<Source>, typename Source::Accumulator>(fill_shared_state<BinnedSum<Source>>(
        call, [&](auto& sum, const Source& source, std::int64_t n) { sum.add(source, n, call.isa); }));
    return {};
  }
};

}  // namespace

SumAlgorithm binned_sum() {
  SumAlgorithm algorithm =
      sum_algorithm<Binned>("binned", claim_by_construction("slices on a fixed grid of bins, added as integers"));
  algorithm.workspace_bytes = binned_bytes;
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace detbench::reduction
