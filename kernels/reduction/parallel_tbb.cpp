// oneTBB's two reductions over the pieces of the vector.
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>
#include <tbb/version.h>

#include <algorithm>

#include "kernels/reduction/lane_sums.hpp"
#include "kernels/reduction/sum.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

using Pieces = tbb::blocked_range<std::int64_t>;

template <class T>
T add_pieces(const SumCall<T>& call, const Pieces& pieces, T sum) {
  for (std::int64_t piece = pieces.begin(); piece != pieces.end(); ++piece) {
    const std::int64_t first = piece * piece_elements;
    sum += lane_sum(call.x + first, std::min(piece_elements, call.n - first), call.isa);
  }
  return sum;
}

/// Runs on the call's number of threads: the arena has that many slots, and the control lets TBB have the workers for
/// them even where there are more threads than cores. It is held for the run alone, because the smallest control in
/// force wins, and ops for other numbers of threads may be alive.
template <class T, class Run>
Status in_arena(const SumCall<T>& call, Run&& run) {
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(call.threads));
  tbb::task_arena arena(call.threads);
  arena.execute([&] { *call.sum = run(); });
  return {};
}

/// Order: the range is split further where a thread steals, and a thread that goes on to the next subrange goes on with
/// the sum it has. Joins keep left before right; where the splits are is what varies.
template <class T>
Status parallel_reduce(const SumCall<T>& call) {
  return in_arena(call, [&] {
    return tbb::parallel_reduce(
        Pieces(0, piece_count(call.n)), T(0),
        [&](const Pieces& pieces, T sum) { return add_pieces(call, pieces, sum); }, [](T a, T b) { return a + b; });
  });
}

/// Order: the simple partitioner splits down to single pieces whatever happens, each starts from the identity, and
/// joins follow the tree of splits.
template <class T>
Status parallel_deterministic_reduce(const SumCall<T>& call) {
  return in_arena(call, [&] {
    return tbb::parallel_deterministic_reduce(
        Pieces(0, piece_count(call.n), 1), T(0),
        [&](const Pieces& pieces, T sum) { return add_pieces(call, pieces, sum); }, [](T a, T b) { return a + b; },
        tbb::simple_partitioner());
  });
}

}  // namespace

std::unique_ptr<Provider> make_tbb_sums() {
  // The documentation speaks of ranges and joins, not of the number of threads or the machine: those are not covered.
  const Claim deterministic{
      Guarantee::run_to_run,
      "oneTBB " TBB_VERSION_STRING
      " specification of parallel_deterministic_reduce: \"Func is applied to a "
      "deterministic set of Ranges, and Reduction merges partial results in a deterministic order\"",
      {Scope::repeat, Scope::process, Scope::load, Scope::placement}};
  SumAlgorithm plain{"parallel_reduce", {}, parallel_reduce<float>, parallel_reduce<double>};
  SumAlgorithm ordered{"parallel_deterministic_reduce", deterministic, parallel_deterministic_reduce<float>,
                       parallel_deterministic_reduce<double>};
  plain.has_isa = ordered.has_isa = true;
  std::vector<TableRow> rows;
  rows.push_back(sum_row(std::move(plain)));
  rows.push_back(sum_row(std::move(ordered)));
  return make_table_provider("tbb", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::reduction

namespace detbench {

std::optional<std::string> tbb_version() { return TBB_runtime_version(); }

}  // namespace detbench
