// OpenMP's own reduction: each thread's private sum starts at 0, grows piece by piece, and the private sums are joined
// in an order that the specification leaves open (OpenMP 5.2, section 5.5.5). libgomp joins them as threads arrive.
#include "kernels/reduction/openmp_sums.hpp"

namespace detbench::reduction {
namespace {

/// The pieces of a thread are fixed; only the joins are open.
struct ReductionStatic {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    typename Source::Accumulator sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum) num_threads(call.threads)
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) sum += piece_sum(call, piece);
    *call.sum = sum;
    return {};
  }
};

/// The pieces of a thread are whatever it was quick enough to get.
struct ReductionDynamic {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    typename Source::Accumulator sum = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : sum) num_threads(call.threads)
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) sum += piece_sum(call, piece);
    *call.sum = sum;
    return {};
  }
};

/// The same in runs of pieces that become shorter towards the end.
struct ReductionGuided {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    typename Source::Accumulator sum = 0;
#pragma omp parallel for schedule(guided) reduction(+ : sum) num_threads(call.threads)
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) sum += piece_sum(call, piece);
    *call.sum = sum;
    return {};
  }
};

template <class Kernel>
SumAlgorithm named(const char* name) {
  SumAlgorithm algorithm = sum_algorithm<Kernel>(name);
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace

SumAlgorithm openmp_reduction_static() { return named<ReductionStatic>("reduction_static"); }
SumAlgorithm openmp_reduction_dynamic() { return named<ReductionDynamic>("reduction_dynamic"); }
SumAlgorithm openmp_reduction_guided() { return named<ReductionGuided>("reduction_guided"); }

}  // namespace detbench::reduction
