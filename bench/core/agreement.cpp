#include "bench/core/agreement.hpp"

#include <algorithm>
#include <cmath>

#include "bench/core/statistics.hpp"
#include "kernels/tensor/compare.hpp"

namespace detbench {
namespace {

bool holds(const std::vector<Digest>& digests, const Digest& digest) {
  return std::find(digests.begin(), digests.end(), digest) != digests.end();
}

std::vector<Digest> union_of(const std::vector<Stage>& stages) {
  std::vector<Digest> all;
  for (const auto& stage : stages)
    for (const auto& digest : stage.distinct)
      if (!holds(all, digest)) all.push_back(digest);
  return all;
}

/// Clopper and Pearson: the largest share p that still shows `hits` or fewer of n with probability 5 %.
double upper_share(std::uint32_t hits, std::uint32_t n) {
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double p = (low + high) / 2;
    double term = std::pow(1 - p, n), sum = term;  // probability of exactly k, from k = 0 on
    for (std::uint32_t k = 1; k <= hits; ++k) sum += term *= (n - k + 1.0) / k * (p / (1 - p));
    (sum > 0.05 ? low : high) = p;
  }
  return high;
}

/// True when the runs of these stages show none of the bits of `repeat`, and more of them than chance explains.
bool differs_for_itself(const std::vector<Stage>& stages, const ScopeResult& repeat) {
  const auto seen = union_of(repeat.stages);
  std::uint32_t runs = 0;
  for (const auto& stage : stages) {
    if (stage.differing_runs < stage.runs) return false;  // some run gave the baseline's bits, which `repeat` has
    for (std::size_t i = 1; i < stage.distinct.size(); ++i)
      if (holds(seen, stage.distinct[i])) return false;
    runs += stage.runs;
  }
  const auto observed = repeat.runs + 1, distinct = static_cast<std::uint32_t>(seen.size());
  const double share_new = distinct >= observed ? 1.0 : upper_share(distinct - 1, observed);
  return runs > 0 && std::pow(share_new, runs) < 0.05;
}

class Launches final : public Observed {
 public:
  explicit Launches(PreparedOp& op) : op_(op) {}
  Status poison_outputs() override { return op_.poison_outputs(Poison::nan_pattern, 0); }
  Result<Digest> run() override { return op_.run(); }
  Result<std::vector<std::vector<std::byte>>> snapshot() override { return op_.snapshot(); }

 private:
  PreparedOp& op_;
};

}  // namespace

Result<Baseline> capture_baseline(PreparedOp& op) {
  Baseline baseline;
  auto digest = op.digest();
  if (!digest) return tl::unexpected(digest.error());
  auto outputs = op.snapshot();
  if (!outputs) return tl::unexpected(outputs.error());
  baseline.digest = *digest;
  baseline.outputs = std::move(*outputs);
  for (const auto& tensor : op.outputs()) baseline.specs.push_back(tensor.spec);
  return baseline;
}

Result<Witness> make_witness(const Baseline& baseline, const std::vector<std::vector<std::byte>>& outputs,
                             const std::string& stage, std::uint32_t run) {
  if (outputs.size() != baseline.outputs.size())
    return failure("this run has " + std::to_string(outputs.size()) + " outputs and the baseline has " +
                   std::to_string(baseline.outputs.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    auto spec = baseline.specs[i];
    spec.layout = canonical_layout(spec.shape);
    if (outputs[i].size() != spec.bytes() || baseline.outputs[i].size() != spec.bytes())
      return failure("output " + spec.role + " has " + std::to_string(outputs[i].size()) + " bytes instead of " +
                     std::to_string(spec.bytes()));
    // The comparison only reads.
    const Tensor a{spec, {const_cast<std::byte*>(baseline.outputs[i].data()), spec.bytes()}};
    const Tensor b{spec, {const_cast<std::byte*>(outputs[i].data()), spec.bytes()}};
    const auto comparison = compare_on_host(a, b);
    if (!comparison) return tl::unexpected(comparison.error());
    if (comparison->differing == 0) continue;
    Witness witness;
    witness.stage = stage;
    witness.run = run;
    witness.output = spec.role;
    witness.element = comparison->first_element;
    witness.baseline_bits = comparison->first_bits;
    witness.run_bits = comparison->second_bits;
    witness.elements = comparison->elements;
    witness.differing = comparison->differing;
    witness.v_ermv = comparison->v_ermv;
    witness.max_ulp = comparison->max_ulp;
    return witness;
  }
  return failure("digests differ in run " + std::to_string(run) + " of " + stage +
                 " but no element does: the digest is broken");
}

void count_run(Stage& stage, const Digest& baseline, const Digest& digest) {
  if (stage.distinct.empty()) stage.distinct.push_back(baseline);
  ++stage.runs;
  if (digest != baseline) ++stage.differing_runs;
  if (!holds(stage.distinct, digest)) stage.distinct.push_back(digest);
}

Result<Stage> observe(PreparedOp& op, const Baseline& baseline, const std::string& name, std::uint32_t runs,
                      std::optional<Witness>& witness, const std::function<Status()>& before_run) {
  Launches launches(op);
  return observe(launches, baseline, name, runs, witness, before_run);
}

Result<Stage> observe(Observed& observed, const Baseline& baseline, const std::string& name, std::uint32_t runs,
                      std::optional<Witness>& witness, const std::function<Status()>& before_run) {
  Stage stage;
  stage.name = name;
  stage.distinct.push_back(baseline.digest);
  for (std::uint32_t run = 1; run <= runs; ++run) {
    if (before_run)
      if (auto ready = before_run(); !ready) return tl::unexpected(ready.error());
    if (auto done = observed.poison_outputs(); !done) return tl::unexpected(done.error());
    auto digest = observed.run();
    if (!digest) return tl::unexpected(digest.error());
    count_run(stage, baseline.digest, *digest);
    if (*digest == baseline.digest || witness) continue;
    auto outputs = observed.snapshot();
    if (!outputs) return tl::unexpected(outputs.error());
    auto made = make_witness(baseline, *outputs, name, run);
    if (!made) return tl::unexpected(made.error());
    witness = std::move(*made);
  }
  return stage;
}

ScopeResult judge_scope(Scope scope, std::vector<Stage> stages, std::optional<Witness> witness,
                        const ScopeResult* repeat) {
  ScopeResult result;
  result.scope = scope;
  std::uint32_t fewest = 0, differing = 0;
  for (const auto& stage : stages) {
    if (stage.runs == 0) continue;
    result.runs += is_sampling(scope) ? stage.runs : 1;
    fewest = fewest == 0 ? stage.runs : std::min(fewest, stage.runs);
    differing += stage.differing_runs;
  }
  result.distinct = static_cast<std::uint32_t>(union_of(stages).size());
  result.witness = std::move(witness);

  std::vector<Stage> available;
  std::copy_if(stages.begin(), stages.end(), std::back_inserter(available), [](const Stage& s) { return s.runs > 0; });
  if (available.empty()) {
    result.verdict = ScopeVerdict::untested;
    for (const auto& stage : stages)
      if (!stage.unavailable.empty()) result.reason += (result.reason.empty() ? "" : "; ") + stage.name + ": " + stage.unavailable;
    if (result.reason.empty()) result.reason = "nothing was run";
  } else if (repeat && repeat->verdict == ScopeVerdict::differs) {
    result.verdict = differs_for_itself(available, *repeat) ? ScopeVerdict::differs : ScopeVerdict::already_differs;
  } else if (differing > 0) {
    result.verdict = ScopeVerdict::differs;
  } else {
    result.verdict = ScopeVerdict::no_difference;
    if (is_sampling(scope)) result.bound = sampling_bound(fewest);
  }
  result.stages = std::move(stages);
  return result;
}

}  // namespace detbench
