#include "bench/suites/sweep_run.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>

#include "bench/core/controls.hpp"
#include "bench/policy/picks.hpp"
#include "bench/records/manifest.hpp"
#include "bench/suites/ablation.hpp"
#include "bench/suites/ceiling_problems.hpp"
#include "bench/suites/divergence.hpp"
#include "bench/suites/registry.hpp"
#include "kernels/cublas/environment.hpp"

namespace detbench {
namespace {

constexpr const char* journal_name = "journal.jsonl";

/// The settings that decide what a run measures: the journal's first line, which --resume reads back.
Json settings_line(const RunSettings& settings) {
  return {{"key", "run"},
          {"version", program_version()},
          {"created_utc", utc_now()},
          {"profile", settings.profile.info.name},
          {"filter", settings.filter.text()},
          {"seed", settings.seed},
          {"threads", settings.threads},
          {"backend", settings.backend},
          // A GPU's rows may be finished on another host with the same GPU; scripts/gpu_check.sh watches that.
          {"machine", settings.backend == "cpu" ? cpu_fingerprint() : ""},
          {"search", format_tiers(settings.profile.search.tiers)},
          {"scopes", format_scopes(settings.scopes)},
          {"network_runs", settings.network_runs},
          {"selections", settings.selections.string()}};
}

/// What the run in `directory` measured, if it was made with the settings that `own` (a settings line) states. Its
/// filter may be another one: the pieces of a journal do not depend on it, except which arms were timed together.
Result<std::vector<Json>> lines_to_import(const std::filesystem::path& directory, const Json& own) {
  auto lines = read_journal(directory / journal_name);
  if (!lines) return tl::unexpected(lines.error());
  auto earlier = settings_of_earlier_run(directory);
  if (!earlier) return tl::unexpected(earlier.error());
  const auto& other = lines->front();
  for (const auto& [name, value] : own.items()) {
    if (name == "key" || name == "created_utc" || name == "filter" || name == "selections") continue;
    if (other.value(name, Json()) != value)
      return invalid_input("--import '" + directory.string() + "': its " + name + " is " + other.value(name, Json()).dump() + ", this run's is " +
                           value.dump() + "; only runs with the same settings can be joined");
  }
  lines->erase(lines->begin());
  // Whole networks ran with policy files of their own run.
  const bool part_of_arms = earlier->filter.chooses_arms();
  std::erase_if(*lines, [&](const Json& line) {
    const auto key = line.value("key", "");
    return key.empty() || key.find(" train_step") != std::string::npos || key.find(" inference_") != std::string::npos || (part_of_arms && key.rfind("time ", 0) == 0);
  });
  return lines;
}

Result<std::vector<Json>> lines_to_import(const RunSettings& settings) {
  std::vector<Json> all;
  for (const auto& directory : settings.imports) {
    auto lines = lines_to_import(directory, settings_line(settings));
    if (!lines) return tl::unexpected(lines.error());
    std::move(lines->begin(), lines->end(), std::back_inserter(all));
  }
  return all;
}

/// Two runs must not write into one folder at a time.
class FolderLock {
 public:
  static Result<FolderLock> take(const std::filesystem::path& directory) {
    const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (fd >= 0) close(fd);
      return invalid_input("'" + directory.string() + "' is in use by another run: give each run a folder of its own");
    }
    return FolderLock(fd);
  }
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

const Record* find_record(const std::vector<Record>& records, const std::string& id) {
  const auto found = std::find_if(records.begin(), records.end(), [&](const Record& r) { return r.id == id; });
  return found == records.end() ? nullptr : &*found;
}

/// Turns the records of the control comparison into controls.
std::vector<ControlResult> judge_controls(const std::vector<Record>& records, const std::string& problem, DeviceKind kind,
                                          const std::vector<Scope>& measured) {
  std::vector<ControlResult> results;
  for (const auto& control : control_cases(kind)) {
    // A scope that nobody asked for has nothing to be trusted with.
    if (!measured.empty() && std::find(measured.begin(), measured.end(), control.scope) == measured.end()) continue;
    ControlResult result;
    result.name = control.algorithm;
    result.scope = control.scope;
    result.positive = control.positive;
    const auto* record = find_record(records, problem + "/control:" + control.algorithm);
    const ScopeResult* scope = nullptr;
    if (record != nullptr)
      for (const auto& s : record->agreement)
        if (s.scope == control.scope) scope = &s;
    if (scope == nullptr) {
      result.note = record == nullptr ? "not run" : "no answer: " + (record->reason.empty() ? "scope not probed" : record->reason);
    } else {
      result.runs = scope->runs;
      result.distinct = scope->distinct;
      result.as_expected = control_caught(*scope) == control.positive && scope->verdict != ScopeVerdict::untested;
      if (!result.as_expected && control.positive)
        result.note = scope->reason.empty() ? "not caught: what shows no difference in this scope is reported as untested" : scope->reason;
    }
    results.push_back(std::move(result));
  }
  return results;
}

bool negative_control_failed(const std::vector<ControlResult>& controls) {
  return std::any_of(controls.begin(), controls.end(), [](const ControlResult& c) { return !c.positive && c.runs > 0 && !c.as_expected; });
}

std::vector<ControlVerdict> verdicts_of(const std::vector<ControlResult>& controls) {
  std::vector<ControlVerdict> verdicts;
  for (const auto& control : controls)
    if (control.positive) verdicts.push_back({control.scope, control.as_expected});
  return verdicts;
}

/// How long a profile may probe again what its policies picked; what is left over says so in its row.
double picks_limit_s(const std::string& profile) {
  if (profile == "smoke") return 1;
  if (profile == "quick") return 6;
  return profile == "standard" ? 180 : 1200;
}

/// Policies from the records so far, their picks probed again, their files written.
Result<CheckedPolicies> make_policies(Sweep& sweep, const RunSettings& settings, const std::filesystem::path& directory) {
  auto target = library_versions();
  target["backend"] = settings.backend;
  target["threads"] = std::to_string(settings.threads);
  sweep.fresh_worker();
  const auto begun = std::chrono::steady_clock::now();
  const auto over = [&] {
    return sweep.interrupted() || std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() > picks_limit_s(settings.profile.info.name);
  };
  const auto again = [&](const std::string& id, const std::vector<Scope>& scopes) -> Result<PickCheck> {
    auto report = sweep.probe_again(id, scopes);
    if (!report) return tl::unexpected(report.error());
    const bool ran = report->status == RunStatus::ok;
    return PickCheck{report->status, report->reason, std::move(report->agreement), ran ? to_hex(report->output_digest) : ""};
  };
  auto chosen = choose_and_check(policies_of_profile(settings.profile.info.name), sweep.comparisons(), sweep.records(), target, again, over);
  sweep.fresh_worker();
  if (!chosen) return chosen;
  if (auto written = write_policies(chosen->selections, directory); !written) return tl::unexpected(written.error());
  return chosen;
}

/// How the run's train steps part, each pair in a process of its own. What cannot be answered is an entry with the reason.
Result<std::vector<Divergence>> part_train_steps(Sweep& sweep, const RunSettings& settings) {
  std::vector<Divergence> all;
  for (const auto& question : divergence_questions(sweep.records(), settings.backend, settings.threads, settings.profile.info.name, settings.seed)) {
    if (sweep.interrupted()) break;
    sweep.fresh_worker();
    auto answer = sweep.diverge(problem_id(question.problem) + " " + question.question, to_json(question));
    if (!answer && sweep.interrupted()) break;
    if (!answer) return tl::unexpected(answer.error());
    Divergence none;
    none.question = question.question;
    none.problem = problem_id(question.problem);
    none.a = {algorithm_id(question.a), 0, ""}, none.b = {algorithm_id(question.b), 0, question.load};
    if (answer->contains("divergence")) {
      auto parted = read_divergence((*answer)["divergence"], "divergence");
      if (!parted) return tl::unexpected(parted.error());
      all.push_back(std::move(*parted));
    } else {
      none.note = read_reason((*answer)["error"]).text;
      all.push_back(std::move(none));
    }
  }
  sweep.fresh_worker();
  return all;
}

/// The rows of the ablation, each in a process of its own.
Result<Ablation> run_ablation(Sweep& sweep, const AblationSettings& asked, bool gpu) {
  auto ablation = describe_ablation(asked, gpu);
  if (!ablation) return ablation;
  const auto begun = std::chrono::steady_clock::now();
  for (const auto& source : ablation_sources()) {
    if (sweep.interrupted()) {
      ablation->note = "interrupted before " + source;
      break;
    }
    sweep.fresh_worker();
    auto answer = sweep.ablate(problem_id(ablation_problem(asked)) + " " + source, {{"settings", to_json(asked)}, {"source", source}}, asked.timeout_s);
    if (!answer) return tl::unexpected(answer.error());
    if (auto taken = take_ablation_answer(*answer, source, *ablation); !taken) return tl::unexpected(taken.error());
  }
  sweep.fresh_worker();
  ablation->elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return ablation;
}

}  // namespace

std::string shell_quote(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-./:=,+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string replay_command(const std::string& id, const RunSettings& settings) {
  std::string command = "detbench run " + shell_quote(id) + " --profile " + settings.profile.info.name + " --seed " +
                        std::to_string(settings.seed) + " --threads " + std::to_string(settings.threads);
  if (is_whole_network(suite_of(id.substr(0, id.find('/'))))) {
    if (settings.network_runs > 0) command += " --network-runs " + std::to_string(settings.network_runs);
    // A network's algorithms are this run's policy files.
    command += " --selections " + shell_quote((settings.selections.empty() ? settings.directory / "policies" : settings.selections).string());
  }
  return command;
}

Result<RunSettings> settings_of_earlier_run(const std::filesystem::path& directory) {
  auto lines = read_journal(directory / journal_name);
  if (!lines) return tl::unexpected(lines.error());
  const auto where = "'" + (directory / journal_name).string() + "'";
  if (lines->empty() || lines->front().value("key", "") != "run") return invalid_input(where + " does not begin with the settings of a run");
  try {
    const auto& line = lines->front();
    RunSettings settings;
    const auto version = line.at("version").get<std::string>();
    if (version != program_version())
      return invalid_input(where + " was begun by detbench " + version + ", this is " + program_version() + ": finish it with that version or start anew");
    settings.backend = line.at("backend").get<std::string>();
    if (const auto machine = line.at("machine").get<std::string>(); settings.backend == "cpu" && machine != cpu_fingerprint())
      return invalid_input(where + " was measured on another machine (" + machine + "; this is " + cpu_fingerprint() + "): rows of two machines are never mixed");
    auto profile = find_profile(line.at("profile").get<std::string>(), settings.backend);
    if (!profile) return invalid_input(where + " names a profile that does not exist: '" + line.at("profile").get<std::string>() + "'");
    settings.profile = *profile;
    auto tiers = parse_tiers(line.at("search").get<std::string>());
    if (!tiers) return tl::unexpected(tiers.error());
    settings.profile.search.tiers = *tiers;
    auto scopes = parse_scopes(line.at("scopes").get<std::string>());
    if (!scopes) return tl::unexpected(scopes.error());
    settings.scopes = *scopes;
    settings.network_runs = line.at("network_runs").get<std::uint32_t>();
    const auto filter_text = line.at("filter").get<std::string>();
    auto filter = Filter::parse(filter_text.empty() ? std::vector<std::string>{} : std::vector<std::string>{filter_text});
    if (!filter) return tl::unexpected(filter.error());
    settings.filter = *filter;
    settings.seed = line.at("seed").get<std::uint64_t>();
    settings.threads = line.at("threads").get<int>();
    settings.selections = line.at("selections").get<std::string>();
    settings.directory = directory;
    settings.resume = true;
    return settings;
  } catch (const Json::exception& e) {
    return invalid_input(where + " begins with damaged settings: " + e.what());
  }
}

Result<RunOutcome> run_sweep(const RunSettings& given) {
  RunSettings settings = given;
  if (settings.threads == 0) settings.threads = available_cores();
  const auto begun = std::chrono::steady_clock::now();
  const auto begun_utc = utc_now();
  const auto policies = settings.selections.empty() ? settings.directory / "policies" : settings.selections;

  auto registry = make_registry(policies, settings.profile.search);
  auto planned = plan_comparisons(registry, settings.profile, settings.filter);
  if (!planned) return tl::unexpected(planned.error());
  auto networks = plan_networks(registry, settings.profile, settings.filter);
  if (!networks) return tl::unexpected(networks.error());
  const auto controls = plan_controls();
  // A question about a scope that was left out is not asked, and an ablation is about none.
  auto ablation = ablation_of_profile(settings.profile.info.name, settings.seed, settings.threads);
  if (ablation && (!settings.scopes.empty() || !wants_ablation(settings.filter, *ablation))) ablation.reset();
  // `op:control` measures the controls and nothing else.
  if (planned->empty() && networks->empty() && !ablation && !settings.filter.accepts(controls.suite, controls.problem, {}))
    return invalid_input("nothing matches the filter '" + settings.filter.text() + "' in profile " + settings.profile.info.name +
                         ": `detbench list` shows what there is");

  auto imported = lines_to_import(settings);
  if (!imported) return tl::unexpected(imported.error());
  std::error_code error;
  std::filesystem::create_directories(settings.directory, error);
  if (error) return invalid_input("'" + settings.directory.string() + "' cannot be made: " + error.message());
  auto lock = FolderLock::take(settings.directory);
  if (!lock) return tl::unexpected(lock.error());
  const auto journal_path = settings.directory / journal_name;
  std::vector<Json> earlier;
  if (settings.resume) {
    auto lines = read_journal(journal_path);
    if (!lines) return tl::unexpected(lines.error());
    earlier = std::move(*lines);
  } else if (std::filesystem::exists(journal_path) || std::filesystem::exists(settings.directory / "result.json")) {
    return invalid_input("'" + settings.directory.string() + "' already holds a run: continue it with --resume " +
                         shell_quote(settings.directory.string()) + ", or give --out another folder");
  }
  std::set<std::string> present;
  for (const auto& line : earlier) present.insert(line.value("key", ""));
  std::erase_if(*imported, [&](const Json& line) { return !present.insert(line.value("key", "")).second; });
  auto journal = Journal::open(journal_path, !settings.resume);
  if (!journal) return tl::unexpected(journal.error());
  if (!settings.resume)
    if (auto written = journal->append(settings_line(settings)); !written) return tl::unexpected(written.error());
  if (auto written = journal->append(*imported); !written) return tl::unexpected(written.error());
  earlier.insert(earlier.end(), imported->begin(), imported->end());

  SweepSettings sweep_settings;
  sweep_settings.profile = settings.profile.info;
  for (const auto scope : all_scopes)
    if (!settings.scopes.empty() && std::find(settings.scopes.begin(), settings.scopes.end(), scope) == settings.scopes.end())
      sweep_settings.left_out.push_back(scope);
  sweep_settings.most_batches = [&](const Problem& problem) {
    return settings.profile.batches_of_blocked || problem.layout != "blocked" ? settings.profile.most_batches : 0U;
  };
  sweep_settings.runs = [&](const Problem& problem) { return is_whole_network(suite_of(problem.op)) ? settings.network_runs : 0U; };
  sweep_settings.oversubscribe_limit_s = settings.profile.oversubscribe_limit_s;
  sweep_settings.seed = settings.seed;
  sweep_settings.base.threads = settings.threads;
  sweep_settings.directory = settings.directory;
  sweep_settings.worker_arguments = {"--backend", settings.backend, "--selections", policies.string(), "--search",
                                     format_tiers(settings.profile.search.tiers)};
  sweep_settings.builds_ahead = settings.backend == "cuda";
  sweep_settings.benchmark_arguments = settings.benchmark_arguments;
  sweep_settings.wanted = [&](const Problem& problem, const Algorithm& algorithm) { return is_wanted(settings.filter, problem, algorithm); };
  if (settings.filter.algorithm()) sweep_settings.named = CaseName{*settings.filter.problem(), *settings.filter.algorithm()};
  sweep_settings.progress = settings.progress;
  sweep_settings.interrupted = settings.interrupted;
  Sweep sweep(sweep_settings, &*journal, earlier);

  Json gpu_before;
  if (settings.backend == "cuda") {
    // An arm that computes something other than its name says is worse than none.
    if (auto clean = check_cublas_environment(); !clean) return failure(clean.error().text);
    auto described = sweep.describe_gpu();
    if (!described) return failure(described.error().text);
    gpu_before = std::move(*described);
  }
  RunOutcome outcome;
  auto& result = outcome.result;
  std::map<std::string, std::string> pick_notes;
  auto measured = sweep.measure({controls});
  if (measured && !sweep.interrupted()) {
    result.controls = judge_controls(sweep.records(), problem_id(controls.problem),
                                     settings.backend == "cuda" ? DeviceKind::cuda : DeviceKind::cpu, settings.scopes);
    if (negative_control_failed(result.controls))
      return failure("the negative control (integers added in any order) differed: this machine or this build computes wrongly, nothing it measures can be trusted");
    measured = sweep.measure(*planned);
  }
  if (measured && !sweep.interrupted() && !networks->empty()) {
    if (settings.selections.empty()) {
      auto chosen = make_policies(sweep, settings, policies);
      if (!chosen && !sweep.interrupted()) return tl::unexpected(chosen.error());
      if (chosen) {
        result.policies = std::move(chosen->infos);
        pick_notes = std::move(chosen->notes);
      }
    }
    measured = sweep.measure(*networks);
    // A question about a scope that was left out is not asked.
    if (measured && !sweep.interrupted() && settings.scopes.empty()) {
      auto parted = part_train_steps(sweep, settings);
      if (!parted) return tl::unexpected(parted.error());
      result.divergence = std::move(*parted);
    }
  }
  if (measured && !sweep.interrupted() && ablation) {
    auto rows = run_ablation(sweep, *ablation, settings.backend == "cuda");
    if (!rows) return tl::unexpected(rows.error());
    result.ablation.push_back(std::move(*rows));
  }
  if (!measured) return tl::unexpected(measured.error());

  outcome.interrupted = sweep.interrupted();
  result.detbench_version = program_version();
  result.commit = program_commit();
  result.dirty = program_dirty();
  result.created_utc = begun_utc;
  result.complete = !outcome.interrupted;
  result.filter = settings.filter.text();
  result.profile = settings.profile.info;
  if (settings.backend == "cuda") result.profile.search = format_tiers(settings.profile.search.tiers);
  result.seed = settings.seed;
  result.backend = settings.backend;
  result.manifest = make_manifest(library_versions(), settings.backend, settings.threads, gpu_before);
  if (gpu_before.is_object()) result.manifest["gpu_afterwards"] = sweep.describe_gpu().value_or(Json());
  const auto verdicts = verdicts_of(result.controls);
  for (auto& comparison : sweep.comparisons())
    if (comparison.suite != "control") result.comparisons.push_back(std::move(comparison));
  for (auto& record : sweep.records()) {
    if (record.suite == "control") continue;
    apply_controls(verdicts, record.agreement);
    record.claim_verdict = judge_claim(record.claim, record.agreement);
    record.replay = replay_command(record.id, settings);
    if (const auto note = pick_notes.find(record.id); note != pick_notes.end()) record.notes["picked"] = note->second;
    result.records.push_back(std::move(record));
  }
  result.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  outcome.file = settings.directory / "result.json";
  // A resumed run replaces the incomplete file of its own folder, nothing else.
  if (auto written = write_result_file(result, outcome.file, settings.resume); !written) return tl::unexpected(written.error());
  std::filesystem::remove(settings.directory / "in_flight", error);
  return outcome;
}

}  // namespace detbench
