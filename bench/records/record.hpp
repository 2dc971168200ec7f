// The result file, schema version 1, as structs. results/README.md explains every field; results/schema-v1.json is the
// machine-readable form. Units are in the names; unknown is nullopt (null in the file), never NaN.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/core/measurement.hpp"
#include "bench/records/ablation.hpp"
#include "bench/records/divergence.hpp"
#include "bench/records/policy_info.hpp"
#include "kernels/result.hpp"

namespace detbench {

inline constexpr int result_schema_version = 1;
using Json = nlohmann::ordered_json;

/// One arm attempted: one row.
struct Record {
  std::string id;      ///< case name
  std::string suite;   ///< "convolution", "reduction", "scatter_add", "train_step", ...
  std::string replay;  ///< shell-quoted command that measures this row again
  RunStatus status = RunStatus::skipped;
  std::string reason;                               ///< one line unless status is ok
  Guarantee requested = Guarantee::not_guaranteed;  ///< what the caller demanded
  Claim claim;                                      ///< what the vendor claims
  ClaimVerdict claim_verdict = ClaimVerdict::none;
  std::optional<bool> exact_equal;           ///< nullopt: not demanded of this class of algorithms
  std::optional<Verification> verification;  ///< with the `rounding` fill
  std::optional<Accuracy> accuracy;          ///< of reductions, `rounding` fill; not written when there is none
  std::vector<ScopeResult> agreement;        ///< what was observed, a row per scope
  std::optional<Timing> timing;
  std::string output_digest;  ///< of the baseline run, `rounding` fill
  std::string input_digest;
  std::optional<double> plan_s;  ///< to prepare the plan, untimed part
  std::optional<std::uint64_t> workspace_bytes;
  std::map<std::string, std::string> notes;  ///< e.g. layouts an implementation chose
  std::optional<TrainStepFacts> train_step;
};

/// The algorithms that answer one problem, measured together.
struct ComparisonInfo {
  std::string problem;  ///< problem id; its records' ids start with it
  std::string suite;
  std::vector<std::string> used_by;  ///< "mobilenet_v2_alpha1.0:block_3_expand", ... where the problem comes from
  std::uint64_t schedule_seed = 0;   ///< orders the arms in each block and splits the blocks in two halves
  std::uint32_t blocks = 0;
  std::string twin_of;  ///< algorithm id of the arm that ran twice (A/A); empty: nothing was timed
  std::vector<Sample> twin_samples;
  std::string input_digest;
  std::optional<double> flops;
  std::optional<double> bytes;
};

/// One control (METHOD section 5).
struct ControlResult {
  std::string name;
  Scope scope = Scope::repeat;
  bool positive = true;  ///< positive controls must differ, negative ones must not
  std::uint32_t runs = 0;
  std::uint32_t distinct = 0;
  bool as_expected = false;
  std::string note;
};

/// n of the profile, as run.
struct ProfileInfo {
  std::string name;  ///< "smoke", "quick", "standard", "full"
  std::uint32_t repeat = 0, process = 0, load = 0, configurations = 0, blocks = 0;
  std::string search;  ///< tiers of GPU libraries' configurations that were asked for ("t0,t1"); empty: not a GPU's run
};

struct ResultFile {
  std::string detbench_version;
  std::string commit;  ///< empty: unknown
  bool dirty = false;
  std::string created_utc;  ///< "2026-11-20T21:36:00Z"
  bool complete = false;    ///< false: interrupted; what is there is valid
  double elapsed_s = 0;
  std::string filter;
  ProfileInfo profile;
  std::uint64_t seed = 1;          ///< of inputs, schedules and stressors
  std::string backend;             ///< "cpu", "cuda"
  std::optional<int> fill_version = detbench::fill_version;  ///< of the inputs; nullopt: a file from before it was written
  Json manifest = Json::object();  ///< machine, libraries, compilers, environment: see results/README.md
  std::vector<ControlResult> controls;
  std::vector<ComparisonInfo> comparisons;
  std::vector<Record> records;
  std::vector<PolicyInfo> policies;     ///< what was chosen from the records; not written when empty
  std::vector<Divergence> divergence;   ///< train steps side by side; not written when empty
  std::vector<Ablation> ablation;       ///< what each source of randomness does to a training; not written when empty
};

// JSON both ways for the parts that also travel between parent and workers. from_json-like readers throw nothing:
// they return the path of the offending key in the reason ("records[3].agreement[0].verdict: ...").
Json to_json(const Claim&);
Json to_json(const Verification&);
Json to_json(const Accuracy&);
Json to_json(const Witness&);
Json to_json(const Stage&);
Json to_json(const ScopeResult&);
Json to_json(const Sample&);
Json to_json(const Timing&);
Json to_json(const StepOp&);
Json to_json(const TrainStepFacts&);
Json to_json(const ControlResult&);
Json to_json(const ProfileInfo&);
Json to_json(const ComparisonInfo&);
Json to_json(const Record&);
Json to_json(const ResultFile&);

Result<Claim> read_claim(const Json&, const std::string& path);
Result<Verification> read_verification(const Json&, const std::string& path);
Result<Accuracy> read_accuracy(const Json&, const std::string& path);
Result<Witness> read_witness(const Json&, const std::string& path);
Result<Stage> read_stage(const Json&, const std::string& path);
Result<ScopeResult> read_scope_result(const Json&, const std::string& path);
Result<Sample> read_sample(const Json&, const std::string& path);
Result<Timing> read_timing(const Json&, const std::string& path);
Result<StepOp> read_step_op(const Json&, const std::string& path);
Result<TrainStepFacts> read_train_step_facts(const Json&, const std::string& path);
Result<ControlResult> read_control_result(const Json&, const std::string& path);
Result<ProfileInfo> read_profile_info(const Json&, const std::string& path);
Result<ComparisonInfo> read_comparison_info(const Json&, const std::string& path);
Result<Record> read_record(const Json&, const std::string& path);
Result<ResultFile> read_result(const Json&);

/// Reads any text file, plain or gzip-compressed, up to `max_bytes` unpacked.
Result<std::string> read_whole_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{1} << 30);

/// Reads a result file, plain or gzip-compressed, or the folder that holds `result.json`. Refuses what is missing,
/// empty, truncated, too large (over 1 GiB unpacked), of another schema or of a newer version, naming file and key.
Result<ResultFile> read_result_file(const std::filesystem::path& path);

/// Writes the whole file or nothing (temporary file, sync, rename), gzip-compressed when the name ends in ".gz". Refuses
/// to replace a file unless `force`, and to write what read_result would refuse.
Status write_result_file(const ResultFile& result, const std::filesystem::path& path, bool force);
/// The same guarantee for any text: used for reports, policies and journals' final files.
Status write_whole_file(const std::filesystem::path& path, std::string_view content, bool force);

}  // namespace detbench
