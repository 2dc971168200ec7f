// Order: whichever thread gets through next, element by element.
#include "kernels/reduction/openmp_sums.hpp"

namespace detbench::reduction {
namespace {

struct AtomicPerElement {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    auto& sum = *call.sum;
    sum = 0;
#pragma omp parallel for schedule(static) num_threads(call.threads)
    for (std::int64_t i = 0; i < call.n; ++i) {
      const auto value = call.source.at(i);
#pragma omp atomic
      sum += value;
    }
    return {};
  }
};

}  // namespace

SumAlgorithm openmp_atomic_per_element() {
  SumAlgorithm algorithm = sum_algorithm<AtomicPerElement>("atomic_per_element");
  algorithm.largest_n = std::int64_t{1} << 22;
  algorithm.too_large = "at about 30 million contended atomic additions a second a larger sum takes over a tenth of a second";
  return algorithm;
}

}  // namespace detbench::reduction
