// The fixed tree with lanes that know what each of their additions lost. What the compensation costs beside the same order
// without it is the point. Kahan's takes the loss off the next summand: four additions, one after the other. Neumaier's
// keeps it aside: seven, of which one waits for the other; and it stays right where a summand is larger than the sum.
#include "kernels/reduction/fixed_order_sums.hpp"

namespace detbench::reduction {
namespace {

struct Kahan {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return sum_by_lanes<KahanLane<typename Source::Accumulator>>(call);
  }
};
struct Neumaier {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return sum_by_lanes<NeumaierLane<typename Source::Accumulator>>(call);
  }
};

}  // namespace

SumAlgorithm kahan_sum() {
  return fixed_order_algorithm<Kahan>("kahan", "fixed lanes with compensation, fixed tree", wide_nodes_bytes);
}
SumAlgorithm neumaier_sum() {
  return fixed_order_algorithm<Neumaier>("neumaier", "fixed lanes with compensation, fixed tree", wide_nodes_bytes);
}

}  // namespace detbench::reduction
