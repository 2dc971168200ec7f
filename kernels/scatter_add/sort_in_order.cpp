// Sort, then from left to right in each bin: a stable sort keeps the order of updates, so these are the bits of `serial`.
#include "kernels/scatter_add/accumulators.hpp"
#include "kernels/scatter_add/sorted_bins.hpp"
#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {

ScatterAlgorithm sort_in_order() {
  return {"sort_in_order", reduction::claim_by_construction("stable sort by bin, index order in each bin"),
          [](const ScatterCall& call) {
            return call.bin == DataType::f64 ? add_sorted_in_order<PlainSum<double>>(call) : add_sorted_in_order<PlainSum<float>>(call);
          },
          sorted_bins_bytes};
}

}  // namespace detbench::scatter_add
