#include "bench/verification/verification.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <numeric>

#include "kernels/tensor/fill.hpp"

namespace detbench {
namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// A row with what it takes to run it again.
struct Work {
  VerifiedRow row;
  CaseName asked;
  std::uint64_t seed = 1;
  bool same_fill = false;  ///< the file says that its inputs are this program's
  double cost = 0;         ///< operations and bytes, to do the cheap ones first
};

/// How a GPU executes a step (launches, streams, one graph) is no part of what is computed, and a CPU has one way.
Algorithm on_a_cpu(Algorithm algorithm) {
  algorithm.options.erase("exec");
  return algorithm;
}

/// Why a row cannot be recomputed here, as far as that can be told without running anything; empty when it can be tried.
std::string why_not(const ResultFile& file, const Record& record, const CaseName& name, const Registry& registry) {
  if (file.fill_version && *file.fill_version != fill_version)
    return "its inputs are of fill version " + std::to_string(*file.fill_version) + ", and this detbench fills with version " + std::to_string(fill_version);
  if (record.claim.source.rfind("by construction", 0) != 0)
    return "its bits are those of " + name.algorithm.provider + ", which promises them between GPUs (" + record.claim.source.substr(0, 120) + ")";
  const auto* operation = registry.find(name.problem.op);
  if (!operation) return "this detbench has no op '" + name.problem.op.substr(0, 60) + "'";
  if (const auto good = operation->check(name.problem); !good) return good.error().text;
  if (!operation->find_provider(name.algorithm.provider))
    return "this detbench has no provider '" + name.algorithm.provider.substr(0, 60) + "' for " + name.problem.op;
  return {};
}

double cost_of(const CaseName& name, const Registry& registry) {
  const auto* operation = registry.find(name.problem.op);
  if (!operation || !operation->check(name.problem)) return 0;
  const auto cost = operation->cost(name.problem);
  const auto steps = name.algorithm.options.find("steps");
  const double runs = steps == name.algorithm.options.end() ? 1 : std::max(1.0, std::strtod(steps->second.c_str(), nullptr));
  return (cost.flops + cost.bytes) * runs;
}

bool claims_every_machine(const Record& record) {
  return record.claim.guarantee == Guarantee::gpu_to_gpu && record.claim.covers(Scope::machine) && !record.output_digest.empty();
}

/// Workers by instruction set, begun when they are first asked; one that dies takes the row in its hands with it.
class Workers {
 public:
  explicit Workers(const volatile std::sig_atomic_t* interrupted) : interrupted_(interrupted) {}
  ~Workers() {
    for (auto& [isa, worker] : workers_) worker->finish();
  }

  Result<Recomputation> recompute(const Work& work, const RecomputeConfiguration& configuration, double timeout_s) {
    auto& worker = workers_[configuration.isa];
    if (!worker || !worker->alive()) {
      WorkerSettings settings;
      settings.arguments = {"--backend", "cpu"};
      settings.interrupted = interrupted_;
      if (!configuration.isa.empty()) settings.environment = {{"DETBENCH_ISA", configuration.isa}};
      auto started = Worker::start(settings);
      if (!started) return tl::unexpected(started.error());
      worker = std::move(*started);
    }
    ProbeSettings probe;
    probe.inputs.seed = work.seed;
    probe.base.threads = configuration.threads;
    Recomputation run{configuration, {}, {}, 0, {}};
    const auto answer = worker->ask({{"do", "recompute"}, {"problem", problem_id(work.asked.problem)}, {"algorithm", to_json(work.asked.algorithm)}, {"settings", to_json(probe)}}, timeout_s);
    if (!answer) {
      run.reason = answer.error().reason;
    } else if (answer->contains("error")) {
      run.reason = read_reason((*answer)["error"]).text;
    } else {
      run.inputs = answer->value("inputs", "");
      run.outputs = answer->value("digest", "");
      run.elapsed_s = answer->value("elapsed_s", 0.0);
    }
    return run;
  }

 private:
  std::map<std::string, std::unique_ptr<Worker>> workers_;
  const volatile std::sig_atomic_t* interrupted_;
};

void judge(Work& work) {
  auto& row = work.row;
  std::string unable;
  bool ran = false;
  for (const auto& run : row.runs) {
    if (!run.reason.empty()) {
      if (unable.empty()) unable = run.reason;
      continue;
    }
    ran = true;
    const auto where = " (" + describe(run.configuration) + ")";
    if (!row.recorded_inputs.empty() && run.inputs != row.recorded_inputs) {
      // A file that names the version of its fills claims these very inputs; one that does not may have had others.
      row.outcome = work.same_fill ? RowOutcome::differs : RowOutcome::not_recomputed;
      row.reason = work.same_fill ? "its inputs have the digest " + row.recorded_inputs + ", those made here " + run.inputs + where
                                  : "its inputs were filled in another way: their digest is " + row.recorded_inputs + ", here " + run.inputs;
      return;
    }
    if (run.outputs != row.recorded_outputs) {
      row.outcome = RowOutcome::differs;
      row.reason = "recorded " + row.recorded_outputs + ", here " + run.outputs + where;
      return;
    }
  }
  row.outcome = ran ? RowOutcome::match : RowOutcome::not_recomputed;
  if (!ran) row.reason = unable;
}

}  // namespace

std::string_view to_text(RowOutcome outcome) {
  switch (outcome) {
    case RowOutcome::match: return "match";
    case RowOutcome::differs: return "differs";
    case RowOutcome::not_recomputed: return "not_recomputed";
    case RowOutcome::not_reached: break;
  }
  return "not_reached";
}

std::string describe(const RecomputeConfiguration& configuration) {
  return (configuration.threads == 0 ? "every core" : "threads=" + std::to_string(configuration.threads)) + (configuration.isa.empty() ? "" : ", isa=" + configuration.isa);
}

std::size_t VerificationReport::count(RowOutcome outcome) const {
  return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const VerifiedRow& row) { return row.outcome == outcome; }));
}

Result<VerificationReport> verify_results(const std::vector<ResultFile>& files, const std::vector<std::string>& paths,
                                          const Filter& filter, const Registry& registry, const VerificationSettings& settings) {
  const double start_s = now_s();
  VerificationReport report;
  report.configurations = settings.configurations;
  std::vector<Work> queue;
  for (std::size_t f = 0; f < files.size(); ++f) {
    const auto& file = files[f];
    report.files.push_back({paths[f], file.detbench_version, file.commit, file.created_utc, file.backend, file.records.size(), 0});
    std::map<std::string, const std::vector<std::string>*> used_by;
    for (const auto& comparison : file.comparisons) used_by[comparison.problem] = &comparison.used_by;
    for (const auto& record : file.records) {
      if (!claims_every_machine(record)) continue;
      auto name = parse_case_id(record.id);
      if (!name) return invalid_input(paths[f] + ": " + name.error().text);
      const auto uses = used_by.find(problem_id(name->problem));
      if (!filter.accepts(record.suite, name->problem, uses == used_by.end() ? std::vector<std::string>{} : *uses->second) ||
          !filter.accepts(name->problem, name->algorithm))
        continue;
      ++report.files.back().claiming;
      Work work;
      work.row = {f, record.id, record.claim.source, RowOutcome::not_reached, {}, record.input_digest, record.output_digest, {}};
      work.asked = {name->problem, on_a_cpu(name->algorithm)};
      work.seed = file.seed;
      work.same_fill = file.fill_version.has_value();
      work.row.reason = why_not(file, record, *name, registry);
      work.cost = work.row.reason.empty() ? cost_of(*name, registry) : 0;
      queue.push_back(std::move(work));
    }
  }
  std::stable_sort(queue.begin(), queue.end(), [](const Work& a, const Work& b) { return a.cost < b.cost; });

  Workers workers(settings.interrupted);
  std::map<std::pair<std::string, std::uint64_t>, std::vector<Recomputation>> known;  // one run for the same case of several files
  for (std::size_t i = 0; i < queue.size(); ++i) {
    auto& work = queue[i];
    const auto left_s = [&] { return settings.limit_s > 0 ? settings.limit_s - (now_s() - start_s) : std::numeric_limits<double>::infinity(); };
    const auto stopped = [&] { return (settings.interrupted && *settings.interrupted != 0) || left_s() <= 0; };
    if (!work.row.reason.empty()) {
      work.row.outcome = RowOutcome::not_recomputed;
    } else if (!stopped()) {
      if (settings.progress) settings.progress({"verify", i, queue.size(), work.row.id, now_s() - start_s});
      auto& runs = known[{case_id(work.asked.problem, work.asked.algorithm), work.seed}];
      for (std::size_t c = runs.size(); c < settings.configurations.size() && !stopped(); ++c) {
        // The watchdog of a limited run is the limit itself.
        const double timeout_s = std::isinf(left_s()) ? -1 : left_s() + 0.1;
        auto run = workers.recompute(work, settings.configurations[c], timeout_s);
        if (!run) return tl::unexpected(run.error());
        if (!run->reason.empty() && stopped()) break;
        runs.push_back(std::move(*run));
      }
      work.row.runs = runs;
      if (runs.size() == settings.configurations.size()) judge(work);
    }
    if (work.row.outcome == RowOutcome::not_reached) work.row.reason = "the time ran out, or the run was interrupted";
    if (settings.done) settings.done(work.row);
    report.rows.push_back(std::move(work.row));
  }
  report.interrupted = settings.interrupted && *settings.interrupted != 0;
  report.elapsed_s = now_s() - start_s;
  return report;
}

}  // namespace detbench
