// Run after run against one baseline: which digests appear, and the evidence when they differ (METHOD sections 3, 11).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/core/measurement.hpp"
#include "bench/core/prepared_op.hpp"

namespace detbench {

/// Run 0 of an arm: its digest and one copy in canonical order, kept while the arm is probed.
struct Baseline {
  Digest digest;
  std::vector<TensorSpec> specs;
  std::vector<std::vector<std::byte>> outputs;
};
/// The outputs as they are now; does not run the op.
Result<Baseline> capture_baseline(PreparedOp& op);

/// Compares canonical bytes with the baseline's, the first differing element of the first differing output leading.
/// A failure when no element differs, for then the digests lied.
Result<Witness> make_witness(const Baseline& baseline, const std::vector<std::vector<std::byte>>& outputs,
                             const std::string& stage, std::uint32_t run);

/// Adds one run to a stage.
void count_run(Stage& stage, const Digest& baseline, const Digest& digest);

/// Something whose runs are compared with a baseline: the op as it is launched, a graph of it, a slice of a larger batch.
class Observed {
 public:
  virtual ~Observed() = default;
  /// So that a run that writes nothing cannot show the bits of the run before it.
  virtual Status poison_outputs() = 0;
  /// One run, reset() included, waited for: the digest of its outputs.
  virtual Result<Digest> run() = 0;
  /// The outputs of the last run in canonical order, one per output.
  virtual Result<std::vector<std::vector<std::byte>>> snapshot() = 0;
};

/// `runs` runs of what is observed, outputs poisoned before each; `before_run` is called ahead of each (a stressor is kept alive
/// there; an error ends the stage). Fills `witness` at the first difference when it is empty.
Result<Stage> observe(Observed& observed, const Baseline& baseline, const std::string& name, std::uint32_t runs,
                      std::optional<Witness>& witness, const std::function<Status()>& before_run = {});
/// The op as it is launched.
Result<Stage> observe(PreparedOp& op, const Baseline& baseline, const std::string& name, std::uint32_t runs,
                      std::optional<Witness>& witness, const std::function<Status()>& before_run = {});

/// The verdict over the stages of one scope. `repeat` is the arm's result in scope `repeat`, nullptr while judging that
/// scope itself. An arm that differs in `repeat` is `already_differs` here unless the digests seen here are disjoint from
/// those and that is more than chance gives: when `repeat` showed d distinct digests in its N = n + 1 runs, at most d - 1
/// of them were seen once (all N when d = N), so by Good and Turing a further run shows a new one with a probability of at
/// most the 95 % bound (Clopper and Pearson) of d - 1 in N, 1 when d = N. To the power of the runs made here that is how
/// likely chance alone makes all of them new; below 5 % the scope `differs` for itself.
/// `runs` is the sum over stages of a sampling scope, the number of available stages of a configuration scope. The
/// bound is that of the stage with the fewest runs: each stressor is a condition of its own.
ScopeResult judge_scope(Scope scope, std::vector<Stage> stages, std::optional<Witness> witness,
                        const ScopeResult* repeat);

}  // namespace detbench
