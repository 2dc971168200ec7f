// Sort, then index order in each bin with an accumulator in f64, rounded to f32 once. The order is fixed because an f64
// sum of many f32 values rounds too: seldom enough that a test of bits would hardly find it, and so not to be trusted.
#include "kernels/scatter_add/accumulators.hpp"
#include "kernels/scatter_add/sorted_bins.hpp"
#include "kernels/scatter_add/strategies.hpp"

namespace detbench::scatter_add {

ScatterAlgorithm f64_accumulator() {
  return {"f64_accumulator", reduction::claim_by_construction("stable sort by bin, index order in each bin in f64, rounded once"),
          add_sorted_in_order<WideSum>, sorted_bins_bytes, f64_accumulator_missing};
}

}  // namespace detbench::scatter_add
