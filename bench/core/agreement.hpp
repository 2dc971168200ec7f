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

/// `runs` runs of the op, outputs poisoned before each; `before_run` is called ahead of each (a stressor is kept alive
/// there; an error ends the stage). Fills `witness` at the first difference when it is empty.
Result<Stage> observe(PreparedOp& op, const Baseline& baseline, const std::string& name, std::uint32_t runs,
                      std::optional<Witness>& witness, const std::function<Status()>& before_run = {});

/// The verdict over the stages of one scope. `repeat` is the arm's result in scope `repeat`, nullptr while judging that
/// scope itself. An arm that differs in `repeat` is `already_differs` here unless the digests seen here are disjoint from
/// those and that is not what chance alone would give: when `repeat` showed d distinct digests in its n + 1 runs, at
/// most (d - 1) of them were seen once, so by Good and Turing a further run is a new one with probability
/// (d - 1) / (n + 1) or less (1 when all were distinct), and m runs are all new by chance with that to the power m;
/// below 5 % the scope `differs` for itself.
/// `runs` is the sum over stages of a sampling scope, the number of available stages of a configuration scope. The
/// bound is that of the stage with the fewest runs: each stressor is a condition of its own.
ScopeResult judge_scope(Scope scope, std::vector<Stage> stages, std::optional<Witness> witness,
                        const ScopeResult* repeat);

}  // namespace detbench
