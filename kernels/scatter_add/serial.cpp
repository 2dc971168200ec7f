// The simplest fixed order: one thread adds the updates in the order of their numbers. Every other algorithm whose name
// ends in `in_order` has its bits.
#include "kernels/scatter_add/strategies.hpp"
#include "kernels/scatter_add/updates.hpp"

namespace detbench::scatter_add {
namespace {

Status run(const ScatterCall& call) {
  return with_accumulator(call, [&](auto zero) -> Status {
    using T = decltype(zero);
    T* sums = accumulators<T>(call);
    std::fill(sums, sums + call.outputs(), T(0));
    for_values<T>(call, 0, call.n, sums, [sums](std::int64_t output, T value) { sums[output] += value; });
    store_sums(call, sums, 0, call.outputs());
    return {};
  });
}

}  // namespace

ScatterAlgorithm serial() {
  return {"serial", reduction::claim_by_construction("index order, one thread"), run,
          [](const ScatterProblem& problem, int) { return within_workspace_limit(problem, accumulators_bytes(problem)); }};
}

}  // namespace detbench::scatter_add
