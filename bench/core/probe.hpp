// Steps 1 to 3 of METHOD section 1 for one arm inside one process: prepare, verify, probe agreement. What needs other
// processes (scope `process`, crashes, hangs) is bench/workers' business.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/core/measurement.hpp"
#include "bench/core/prepared_op.hpp"

namespace detbench {

/// Makes a device for a configuration; fakes in tests.
using MakeDevice = std::function<Result<std::unique_ptr<Device>>(const DeviceConfiguration&)>;

struct ProbeSettings {
  Inputs inputs;                    ///< rounding fill and seed
  std::uint32_t repeat = 10;        ///< runs compared with the baseline in `repeat`
  std::uint32_t load = 10;          ///< runs under each stressor
  std::uint32_t configurations = 2; ///< in each configuration scope, beyond the baseline; on a GPU of each kind
  std::uint32_t batches = 2;        ///< configurations of `batch`, which are the dearest: each is a larger problem
  std::vector<Scope> left_out;      ///< scopes that the profile does not measure
  DeviceConfiguration base;         ///< configuration of the baseline
  double slow_limit_s = 5.0;        ///< an arm whose first run takes longer gets n = 2 everywhere and is marked slow
  double load_limit_s = 2.0;        ///< every stressor stops itself after this long
  /// An op whose first run takes longer is not probed with more threads than cores: spin barriers make that 50 to 100
  /// times slower than its own run. The stage then says so.
  double oversubscribe_limit_s = 1e9;
};

struct ArmReport {
  RunStatus status = RunStatus::ok;
  std::string reason;
  std::optional<bool> exact_equal;
  std::optional<Verification> verification;
  std::optional<Accuracy> accuracy;  ///< of the verified run; with the range over the runs of `repeat` and `load` where outputs are few
  /// repeat, load, placement, partition, capture, batch; process is added by the parent
  std::vector<ScopeResult> agreement;
  Digest output_digest, input_digest;
  double plan_s = 0;
  std::uint64_t workspace_bytes = 0;
  double first_run_s = 0;
  bool slow = false;
  std::map<std::string, std::string> notes;
};

/// References of the current comparison, computed once per (problem, fill).
class ReferenceCache {
 public:
  Result<const Reference*> get(const Operation& operation, const Problem& problem, const Inputs& inputs);

 private:
  std::string key_;
  std::map<std::string, std::unique_ptr<Reference>> references_;
};

/// Never throws; everything that goes wrong becomes a status with a reason. The order: guards and poison (NaN pattern,
/// zero, random) with the exact fill where it exists and the algorithm is a sum of products, then the rounding fill
/// against the fp64 reference, then repeat, load, placement, partition, capture, batch.
ArmReport probe_arm(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                    const ProbeSettings& settings, const MakeDevice& make_device, ReferenceCache& references);

/// One prepared run, for the `process` scope: the digest of the outputs (and the canonical bytes when asked for, so
/// that a witness can be made).
struct OneRun {
  Digest digest;
  std::vector<std::vector<std::byte>> outputs;
  std::map<std::string, std::string> notes;  ///< of the plan: what a library picked, for instance
};
Result<OneRun> run_once(const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                        const Inputs& inputs, Device& device, bool keep_outputs);

/// The configurations of `partition`, in order of what they reveal; a profile takes the first `count`. On a CPU (limits
/// all 0) thread counts; for 2 cores: 1, 4, 3, 5, 8, ... threads. On a GPU by turns SM-count targets, which change the
/// kernels, and green contexts, which change their schedule, `count` of each.
std::vector<DeviceConfiguration> partition_configurations(const DeviceConfiguration& base, std::uint32_t count,
                                                          const MultiprocessorLimits& limits = {});
/// The placements of `placement` on a CPU, likewise.
std::vector<DeviceConfiguration> placement_configurations(const DeviceConfiguration& base, std::uint32_t count, std::uint64_t seed);
/// The placements on a GPU: alignments of 2 to 256 bytes that the arm permits, plain and pool allocator by turns, gaps and
/// order of allocation seeded. Below the declared alignment a library takes other kernels or faults; an arm that is made
/// for less declares less (and is a case of its own name).
std::vector<DeviceConfiguration> gpu_placements(const DeviceConfiguration& base, std::uint32_t count, std::uint64_t seed,
                                                std::size_t declared_alignment);
/// The arm's option `align` where it has one, else what its plan says.
std::size_t declared_alignment(const Plan& plan, const Algorithm& algorithm);
/// "threads=3", "sm_target=66", "green_context=64", "offset=16,gaps=1234", "align=16,allocator=pool,gaps=1234".
std::string stage_name(const DeviceConfiguration& base, const DeviceConfiguration& configuration, DeviceKind kind);

/// Holds a claim against what was observed (METHOD section 4).
ClaimVerdict judge_claim(const Claim& claim, const std::vector<ScopeResult>& agreement);

}  // namespace detbench
