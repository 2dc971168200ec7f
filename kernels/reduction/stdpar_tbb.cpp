// The C++ standard's parallel reductions. libstdc++ implements the execution policies on oneTBB, so this file needs it.
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <execution>
#include <functional>
#include <numeric>

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

// std::reduce where summands are stored as what they accumulate in, std::transform_reduce elsewhere.
template <class Policy, class S>
auto reduced(Policy& policy, const Elements<S>& source, std::int64_t n) {
  using A = typename Elements<S>::Accumulator;
  if constexpr (std::is_same_v<A, S>)
    return std::reduce(policy, source.x, source.x + n, A(0));
  else
    return std::transform_reduce(policy, source.x, source.x + n, A(0), std::plus<A>(), Elements<S>::summand);
}
template <class Policy, class S>
auto reduced(Policy& policy, const Products<S>& source, std::int64_t n) {
  using A = typename Products<S>::Accumulator;
  return std::transform_reduce(policy, source.x, source.x + n, source.y, A(0), std::plus<A>(), Products<S>::summand);
}

/// Order: the standard lets them group and permute as they like. libstdc++ hands ranges to tbb::parallel_reduce, whose
/// splits follow work stealing; par adds inside a range from left to right, par_unseq in as many lanes as the compiler's
/// baseline vectors have.
template <class Source, class Policy>
Status reduce_with(const SumCall<Source>& call, Policy&& policy) {
  // As in parallel_tbb.cpp: workers for the call's threads while it runs, and no more than those.
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(call.threads));
  tbb::task_arena arena(call.threads);
  arena.execute([&] { *call.sum = reduced(policy, call.source, call.n); });
  return {};
}

struct ReducePar {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return reduce_with(call, std::execution::par);
  }
};
struct ReduceParUnseq {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return reduce_with(call, std::execution::par_unseq);
  }
};

}  // namespace

std::unique_ptr<Provider> make_stdpar_sums() {
  std::vector<TableRow> rows;
  rows.push_back(sum_row(sum_algorithm<ReducePar>("reduce_par")));
  rows.push_back(sum_row(sum_algorithm<ReduceParUnseq>("reduce_par_unseq")));
  return make_table_provider("stdpar", std::move(rows));
}

}  // namespace detbench::reduction
