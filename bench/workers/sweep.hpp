// The parent: plans, journals, watches, and speaks JSON lines with its workers. It never touches a device (METHOD
// section 6). Comparisons pass through four phases: list, probe, process, time; each finished piece is journaled at
// once, and a sweep started over the lines of an earlier one skips what they hold.
#pragma once

#include <csignal>
#include <functional>
#include <map>

#include "bench/workers/channel.hpp"
#include "bench/workers/journal.hpp"
#include "bench/workers/messages.hpp"

namespace detbench {

struct PlannedComparison {
  Problem problem;
  std::string suite;
  std::vector<std::string> used_by;
  bool timed = true;                      ///< controls are probed only
  std::uint32_t block_factor = 1;         ///< times the profile's blocks
  std::vector<Algorithm> extra_arms;      ///< arms that no provider lists by itself
};

/// An arm as `detbench list` shows it.
struct ListedArm {
  std::string id;                         ///< case name
  std::string suite;
  std::vector<std::string> used_by;
  std::optional<Reason> unsupported;
};

struct Progress {
  std::string phase;                      ///< "list", "probe", "process", "time"
  std::size_t done = 0, total = 0;        ///< cases of this phase
  std::string arm;
  double elapsed_s = 0;                   ///< since the sweep began
};

struct SweepSettings {
  ProfileInfo profile;
  std::uint64_t seed = 1;
  DeviceConfiguration base;
  std::filesystem::path directory;        ///< scratch files, worker log
  std::vector<std::string> worker_arguments;
  std::vector<std::string> benchmark_arguments;
  double oversubscribe_limit_s = 1e9;     ///< see ProbeSettings
  double arm_timeout_s = 120;             ///< the watchdog's bound for one arm's probe
  std::function<std::uint32_t(const Problem&)> most_batches;  ///< configurations of `batch` where the profile has more; empty: no limit
  std::function<std::uint32_t(const Problem&)> runs;  ///< n of `repeat` and `load` instead of the profile's where it is not 0
  std::vector<Scope> left_out;            ///< scopes that are not measured
  bool builds_ahead = false;              ///< plans of a comparison are built side by side before its arms are probed
  std::function<bool(const Problem&, const Algorithm&)> wanted;  ///< FILTER; empty: everything
  std::optional<CaseName> named;          ///< the one case that FILTER names by its id
  std::function<void(const Progress&)> progress;
  const volatile std::sig_atomic_t* interrupted = nullptr;
};

class Sweep {
 public:
  /// `journal` may be null (nothing is kept); `finished` holds the journal lines of an earlier run with the same
  /// settings, empty for a fresh one.
  Sweep(SweepSettings settings, Journal* journal, const std::vector<Json>& finished);
  ~Sweep();

  /// Measures the comparisons through all phases. Returns early, without error, when interrupted.
  Status measure(const std::vector<PlannedComparison>& planned);
  /// The first phase alone: which arms there are.
  Status list_only(const std::vector<PlannedComparison>& planned);
  /// Probes a case again, in these scopes alone, in the worker that fresh_worker() began or that is there. What the worker cannot
  /// answer (it crashed, the time ran out) is the report's status and reason; an error: no worker could be started.
  Result<ArmReport> probe_again(const std::string& case_name, const std::vector<Scope>& scopes);
  /// Asks a worker how two train steps part (bench/suites/divergence.hpp); the request is its, the reply is journaled under `key`.
  Result<Json> diverge(const std::string& key, Json request);
  /// Asks a worker for one row of the randomness ablation (bench/suites/ablation.hpp); likewise journaled under `key`.
  Result<Json> ablate(const std::string& key, Json request, double timeout_s);
  /// Ends the worker, so that the next request begins a fresh process.
  void fresh_worker();
  /// The GPU as a worker sees it now (bench/records/manifest.hpp); the reason without one.
  Result<Json> describe_gpu();
  bool interrupted() const { return settings_.interrupted != nullptr && *settings_.interrupted != 0; }

  /// What was found so far, in planned order; timed or not.
  std::vector<ComparisonInfo> comparisons() const;
  std::vector<Record> records() const;
  std::vector<ListedArm> listed() const;

 private:
  struct Arm;
  struct Comparison;
  Status list(Comparison& comparison);
  Status note(const Json& line);
  Result<std::vector<Comparison*>> list_all(const std::vector<PlannedComparison>& planned);
  Status probe(Comparison& comparison);
  void build_ahead(const Comparison& comparison);
  std::uint32_t processes() const;        ///< n of scope `process`; 0 when it is left out
  Status run_processes(std::vector<Comparison*> comparisons);
  Status time(std::vector<Comparison*> comparisons);
  Status take_timing(Comparison& comparison, const Json& line);
  static void per_step(std::vector<Sample>& samples, const Arm& arm);
  void judge_processes(Comparison& comparison, Arm& arm);
  std::optional<Witness> witness_of(const Comparison& comparison, const Arm& arm);
  Result<Json> ask_journaled(const std::string& what, const std::string& key, Json request, double timeout_s);
  tl::expected<Json, WorkerEnd> ask(const Json& request, double timeout_s);
  Json probe_request(const Comparison& comparison, const Arm& arm, double slow_limit_s) const;
  void tell(const std::string& phase, const std::string& arm);
  Result<Worker*> worker();

  SweepSettings settings_;
  Journal* journal_;
  std::map<std::string, Json> done_;      ///< finished pieces of the earlier run, by key
  std::vector<std::unique_ptr<Comparison>> comparisons_;
  std::unique_ptr<Worker> worker_;
  Progress progress_;
  double started_s_ = 0;
};

}  // namespace detbench
