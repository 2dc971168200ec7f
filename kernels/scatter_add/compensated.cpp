// Sort, then index order in each bin with Neumaier's compensation (accumulators.hpp): what an addition loses is added up
// beside the sum and comes back at the end. What is lost depends on the order, so it is as fixed as in `sort_in_order`.
#include "kernels/scatter_add/accumulators.hpp"
#include "kernels/scatter_add/sorted_bins.hpp"
#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {

ScatterAlgorithm compensated() {
  return {"compensated", reduction::claim_by_construction("stable sort by bin, Neumaier's sum in index order in each bin"),
          [](const ScatterCall& call) {
            return call.bin == DataType::f64 ? add_sorted_in_order<CompensatedSum<double>>(call) : add_sorted_in_order<CompensatedSum<float>>(call);
          },
          sorted_bins_bytes};
}

}  // namespace detbench::scatter_add
