// The fixed tree in double for summands of f32 and 16 bits, which double holds exactly, products included: no rounding to
// f32 but the last.
#include "kernels/reduction/fixed_order_sums.hpp"

namespace detbench::reduction {
namespace {

struct InF64 {
  template <class Source>
    requires has_wide<Source>
  static Status run(const SumCall<Source>& call) {
    return sum_by_lanes<WideLane>(call);
  }
};

}  // namespace

SumAlgorithm f64_accumulator_sum() {
  SumAlgorithm algorithm =
      fixed_order_algorithm<InF64>("f64_accumulator", "fixed lanes and tree in double", wide_nodes_bytes);
  algorithm.missing = no_wider_type;
  return algorithm;
}

}  // namespace detbench::reduction
