// The C++ standard's parallel reduction. libstdc++ implements the execution policies on oneTBB, so this file needs it.
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <execution>
#include <numeric>

#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

/// Order: std::reduce may group and permute as it likes. libstdc++ hands ranges to tbb::parallel_reduce, whose splits
/// follow work stealing; par adds inside a range from left to right, par_unseq in as many lanes as the compiler's
/// baseline vectors have.
template <class T, class Policy>
Status reduce_with(const SumCall<T>& call, Policy&& policy) {
  // As in parallel_tbb.cpp: workers for the call's threads while it runs, and no more than those.
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(call.threads));
  tbb::task_arena arena(call.threads);
  arena.execute([&] { *call.sum = std::reduce(policy, call.x, call.x + call.n, T(0)); });
  return {};
}

template <class T>
Status reduce_par(const SumCall<T>& call) {
  return reduce_with(call, std::execution::par);
}
template <class T>
Status reduce_par_unseq(const SumCall<T>& call) {
  return reduce_with(call, std::execution::par_unseq);
}

}  // namespace

std::unique_ptr<Provider> make_stdpar_sums() {
  std::vector<TableRow> rows;
  rows.push_back(sum_row({"reduce_par", {}, reduce_par<float>, reduce_par<double>}));
  rows.push_back(sum_row({"reduce_par_unseq", {}, reduce_par_unseq<float>, reduce_par_unseq<double>}));
  return make_table_provider("stdpar", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::reduction
