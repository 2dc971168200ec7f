// oneTBB's reductions over the pieces of the summands.
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

/// Runs reduce(pieces, identity, body, join) on the call's number of threads: the arena has that many slots, and the control
/// lets TBB have the workers for them even where there are more threads than cores. It is held for the run alone, because
/// the smallest control in force wins, and ops for other numbers of threads may be alive.
template <class Source, class Reduce>
Status in_arena(const SumCall<Source>& call, Reduce&& reduce) {
  using A = typename Source::Accumulator;
  const auto add_pieces = [&](const Pieces& pieces, A sum) {
    for (std::int64_t piece = pieces.begin(); piece != pieces.end(); ++piece) {
      const std::int64_t first = piece * piece_elements;
      sum += lane_sum(call.source.from(first), std::min(piece_elements, call.n - first), call.isa);
    }
    return sum;
  };
  const auto join = [](A a, A b) { return a + b; };
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(call.threads));
  tbb::task_arena arena(call.threads);
  arena.execute([&] { *call.sum = reduce(Pieces(0, piece_count(call.n), 1), A(0), add_pieces, join); });
  return {};
}

/// Order: the range is split further where a thread steals, and a thread that goes on to the next subrange goes on with
/// the sum it has. Joins keep left before right; where the splits are is what varies.
struct ParallelReduce {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return in_arena(call, [](const auto&... arguments) { return tbb::parallel_reduce(arguments...); });
  }
};

/// Order: the simple partitioner splits down to single pieces whatever happens, but a piece that no thread stole goes on
/// with the sum of its left neighbour instead of starting from 0.
struct ParallelReduceSimple {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return in_arena(call, [](const auto&... arguments) { return tbb::parallel_reduce(arguments..., tbb::simple_partitioner()); });
  }
};

/// Order: splits down to single pieces, each starts from the identity, and joins follow the tree of splits.
struct ParallelDeterministicReduce {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    return in_arena(call, [](const auto&... arguments) {
      return tbb::parallel_deterministic_reduce(arguments..., tbb::simple_partitioner());
    });
  }
};

template <class Kernel>
TableRow row(const char* name, Claim claim) {
  SumAlgorithm algorithm = sum_algorithm<Kernel>(name, std::move(claim));
  algorithm.has_isa = true;
  return sum_row(std::move(algorithm));
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
  std::vector<TableRow> rows;
  rows.push_back(row<ParallelReduce>("parallel_reduce", {}));
  rows.push_back(row<ParallelReduceSimple>("parallel_reduce_simple", {}));
  rows.push_back(row<ParallelDeterministicReduce>("parallel_deterministic_reduce", deterministic));
  return make_table_provider("tbb", std::move(rows));
}

}  // namespace detbench::reduction

namespace detbench {

std::optional<std::string> tbb_version() { return TBB_runtime_version(); }

}  // namespace detbench
