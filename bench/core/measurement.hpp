// What the instrument finds, as plain data: agreement per scope, samples per block. The instrument (bench/core,
// bench/workers) makes it, bench/records writes it down, bench/analysis reads it. Terms: METHOD sections 1, 3, 4, 7.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/claim.hpp"
#include "kernels/op.hpp"
#include "kernels/tensor/digest.hpp"

namespace detbench {

/// METHOD section 1. A case that is `incorrect` is not timed.
enum class RunStatus { ok, skipped, unsupported, incorrect, crashed, timed_out, out_of_memory };

/// The verdict of one scope. Sampling and configuration scopes share the words; only sampling ones carry a bound.
enum class ScopeVerdict {
  no_difference,     ///< no difference in n runs, or over k configurations
  differs,           ///< with a witness
  already_differs,   ///< differs in `repeat`, and this scope's digests are among those seen there
  untested,          ///< the scope's positive control was not caught, or the configurations do not exist; see `reason`
  not_applicable,    ///< the scope has no meaning for this op or backend; see `reason`
  not_measured       ///< the profile leaves it out, or the row ended before
};

/// What became of a claim (METHOD section 4).
enum class ClaimVerdict { none, held_in_n, broken, untested };

/// The evidence of a difference: the first differing element of the first differing run.
struct Witness {
  std::string stage;               ///< the stressor or configuration under which it was seen
  std::uint32_t run = 0;           ///< counted from 1; the baseline is run 0
  std::string output;              ///< role of the output tensor
  std::uint64_t element = 0;       ///< canonical index
  std::uint64_t baseline_bits = 0;
  std::uint64_t run_bits = 0;
  std::uint64_t elements = 0;      ///< of that output
  std::uint64_t differing = 0;     ///< V_c = differing / elements
  double v_ermv = 0;
  std::uint64_t max_ulp = 0;
  bool sampled = false;            ///< only a seeded sample of the elements was kept
};

/// One stressor or one configuration inside a scope.
struct Stage {
  std::string name;                     ///< "idle", "spinners", "threads=3", "offset=4", ...
  std::uint32_t runs = 0;               ///< runs compared with the baseline
  std::uint32_t differing_runs = 0;     ///< of those, not equal to the baseline
  std::vector<Digest> distinct;         ///< in order of first appearance, baseline included
  std::string unavailable;              ///< why this stage could not run; empty when it did
};

struct ScopeResult {
  Scope scope = Scope::repeat;
  ScopeVerdict verdict = ScopeVerdict::not_measured;
  std::string reason;                   ///< for untested, not_applicable, not_measured
  std::uint32_t runs = 0;               ///< sampling: n; configuration: k configurations
  std::uint32_t distinct = 0;           ///< distinct digests over all stages, baseline included
  std::optional<double> bound;          ///< sampling, no difference: share of other bits is below this at 95 %
  std::vector<Stage> stages;
  std::optional<Witness> witness;
};

/// One timed run.
struct Sample {
  std::uint32_t block = 0;
  std::uint32_t position = 0;              ///< place within the block, as drawn from the schedule's seed
  double elapsed_s = 0;
  std::uint32_t iterations = 1;            ///< runs of enqueue() that elapsed_s is the mean of
  std::int64_t involuntary_switches = 0;   ///< of the whole process during the sample
  double foreign_s = 0;                    ///< CPU time others used on this machine meanwhile, steal included, per core
  bool foreign_load = false;               ///< marked; kept, and left out of medians
  std::optional<double> sm_clock_hz;       ///< of the GPU, read right behind the sample
  /// GPU: the host had not queued the whole sample before the device began with it, so launches are in the time.
  bool launches_exposed = false;
};

struct Timing {
  std::vector<Sample> samples;
  std::string digest;                      ///< of the last output of the last block: what was timed is what was checked
  bool slow = false;                       ///< over 20 times the best: n = 2 and one timing
};

/// One op inside a network's step, as its observer saw it.
struct StepOp {
  std::string phase;       ///< "forward", "backward", "optimizer"
  std::string layer;       ///< Keras's layer name
  std::string op;          ///< "conv_fwd", "reorder", ...
  std::string problem;     ///< problem id, when the op was chosen by a selection
  std::string algorithm;   ///< algorithm id
  double elapsed_s = 0;    ///< median over the observed steps
};

/// What a train step reports beyond any other op.
struct TrainStepFacts {
  std::uint32_t steps = 0;               ///< k: the bits are those of the state after k steps
  double images_per_s = 0;
  double input_s = 0;                    ///< data preparation, not in the step
  std::uint64_t memory_bytes = 0;        ///< everything the step holds
  double observed_step_s = 0;            ///< one step under the observer
  double op_s = 0;                       ///< sum of `ops`
  double reorder_s = 0;                  ///< of that, reorders
  std::vector<double> loss;              ///< after each of the k steps
  std::vector<StepOp> ops;
};

std::string_view to_text(RunStatus status);
std::string_view to_text(ScopeVerdict verdict);
std::string_view to_text(ClaimVerdict verdict);
std::optional<RunStatus> parse_run_status(std::string_view text);
std::optional<ScopeVerdict> parse_scope_verdict(std::string_view text);
std::optional<ClaimVerdict> parse_claim_verdict(std::string_view text);

}  // namespace detbench
