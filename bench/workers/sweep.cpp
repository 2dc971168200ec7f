#include "bench/workers/sweep.hpp"

#include <algorithm>
#include <chrono>

#include "bench/workers/sweep_state.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

RunStatus status_of(const Reason& reason) {
  switch (reason.kind) {
    case Reason::Kind::unsupported: return RunStatus::unsupported;
    case Reason::Kind::out_of_memory: return RunStatus::out_of_memory;
    default: return RunStatus::skipped;
  }
}

}  // namespace

double Sweep::Comparison::best_first_run_s() const {
  double best = 0;
  for (const auto& arm : arms)
    if (arm.alive() && arm.reply && (best == 0 || arm.reply->report.first_run_s < best)) best = arm.reply->report.first_run_s;
  return best;
}

bool Sweep::Comparison::is_slow(const Arm& arm) const {
  const double first = arm.reply->report.first_run_s;
  return arm.reply->report.slow || (first > slow_floor_s && first > slow_factor * best_first_run_s());
}

Sweep::Sweep(SweepSettings settings, Journal* journal, const std::vector<Json>& finished)
    : settings_(std::move(settings)), journal_(journal), started_s_(now_s()) {
  for (const auto& line : finished)
    if (line.contains("key") && line["key"].is_string()) done_[line["key"].get<std::string>()] = line;
}

Sweep::~Sweep() {
  if (worker_) worker_->finish();
}

void Sweep::tell(const std::string& phase, const std::string& arm) {
  progress_.phase = phase;
  progress_.arm = arm;
  progress_.elapsed_s = now_s() - started_s_;
  if (settings_.progress) settings_.progress(progress_);
}

Result<Worker*> Sweep::worker() {
  if (!worker_ || !worker_->alive()) {
    auto started = Worker::start({settings_.worker_arguments, settings_.directory.empty() ? std::filesystem::path{} : settings_.directory / "worker.log", settings_.interrupted});
    if (!started) return tl::unexpected(started.error());
    worker_ = std::move(*started);
  }
  return worker_.get();
}

tl::expected<Json, WorkerEnd> Sweep::ask(const Json& request, double timeout_s) {
  auto ready = worker();
  if (!ready) return tl::unexpected(WorkerEnd{RunStatus::crashed, ready.error().text});
  auto reply = (*ready)->ask(request, timeout_s);
  // Nothing that a process computes after a sticky CUDA error can be trusted.
  if (reply && reply->value("poisoned", false)) {
    worker_->finish();
    worker_.reset();
    reply->erase("poisoned");
  }
  return reply;
}

Status Sweep::note(const Json& line) { return journal_ == nullptr ? Status{} : journal_->append(line); }

Status Sweep::list(Comparison& comparison) {
  Json reply;
  const std::string key = "list " + comparison.id;
  if (auto old = done_.find(key); old != done_.end()) {
    reply = old->second;
  } else {
    Json request{{"do", "list"}, {"problem", comparison.id}};
    if (settings_.named && comparison.planned.problem == settings_.named->problem) request["named"] = to_json(settings_.named->algorithm);
    auto answer = ask(request, settings_.arm_timeout_s);
    if (!answer && interrupted()) return {};
    // A listing that crashed is a row of its own: which provider did it cannot be told from outside.
    if (!answer) answer = Json{{"error", {{"kind", "failed"}, {"text", "listing the algorithms failed: " + answer.error().reason}}}};
    reply = *answer;
    reply["key"] = key;
    if (auto written = note(reply); !written) return written;
  }
  comparison.listed = true;
  if (reply.contains("error")) {
    Arm arm;
    arm.algorithm.provider = "any";
    arm.algorithm.name = "any";
    arm.unsupported = read_reason(reply["error"]);
    comparison.arms.push_back(std::move(arm));
  }
  if (reply.contains("flops") && reply["flops"].is_number()) comparison.info.flops = reply["flops"].get<double>();
  if (reply.contains("bytes") && reply["bytes"].is_number()) comparison.info.bytes = reply["bytes"].get<double>();
  for (const auto& json : reply.value("offers", Json::array())) {
    auto offer = read_offer(json);
    if (!offer) return tl::unexpected(offer.error());
    Arm arm;
    arm.algorithm = offer->algorithm;
    arm.unsupported = offer->unsupported;
    arm.notes = offer->notes;
    comparison.arms.push_back(std::move(arm));
  }
  for (const auto& algorithm : comparison.planned.extra_arms) {
    Arm arm;
    arm.algorithm = algorithm;
    comparison.arms.push_back(std::move(arm));
  }
  if (settings_.wanted && comparison.planned.timed)
    std::erase_if(comparison.arms, [&](const Arm& arm) { return !settings_.wanted(comparison.planned.problem, arm.algorithm); });
  // An arm asked for by its full name is tried even where no tier of the search holds it: that is what replays a row.
  if (settings_.named && comparison.planned.problem == settings_.named->problem && comparison.arms.empty()) {
    Arm arm;
    arm.algorithm = settings_.named->algorithm;
    comparison.arms.push_back(std::move(arm));
  }
  for (auto& arm : comparison.arms) {
    arm.id = algorithm_id(arm.algorithm);
    if (!arm.unsupported) continue;
    arm.status = status_of(*arm.unsupported);
    arm.reason = arm.unsupported->text;
  }
  return {};
}

Json Sweep::probe_request(const Comparison& comparison, const Arm& arm, double slow_limit_s) const {
  ProbeSettings probe;
  probe.inputs = {InputFill::rounding, settings_.seed};
  probe.repeat = settings_.profile.repeat;
  probe.load = settings_.profile.load;
  probe.configurations = settings_.profile.configurations;
  probe.base = settings_.base;
  probe.batches = settings_.profile.configurations;
  if (settings_.most_batches) probe.batches = std::min(probe.batches, settings_.most_batches(comparison.planned.problem));
  if (const auto runs = settings_.runs ? settings_.runs(comparison.planned.problem) : 0; runs > 0) probe.repeat = probe.load = runs;
  probe.left_out = settings_.left_out;
  probe.slow_limit_s = slow_limit_s;
  probe.oversubscribe_limit_s = settings_.oversubscribe_limit_s;
  return {{"do", "probe"}, {"problem", comparison.id}, {"algorithm", to_json(arm.algorithm)}, {"settings", to_json(probe)}};
}

/// Lets the worker build the plans of the arms that are left, on all cores at once. A worker that dies of it
/// is no finding: each arm is then prepared in its own turn, and the one at fault dies by itself.
void Sweep::build_ahead(const Comparison& comparison) {
  Json algorithms = Json::array();
  for (const auto& arm : comparison.arms)
    if (!arm.unsupported && !done_.contains("probe " + comparison.id + "/" + arm.id)) algorithms.push_back(to_json(arm.algorithm));
  if (algorithms.size() < 2) return;
  tell("build", comparison.id);
  Json request = probe_request(comparison, comparison.arms.front(), 0);
  request["do"] = "build";
  request["algorithms"] = algorithms;
  static_cast<void>(ask(request, settings_.arm_timeout_s + static_cast<double>(algorithms.size())));
  tell("probe", comparison.id);
}

Result<Json> Sweep::describe_gpu() {
  auto answer = ask({{"do", "gpu"}}, settings_.arm_timeout_s);
  if (!answer) return failure("a worker that was asked for the GPU ended: " + answer.error().reason);
  if (answer->contains("error")) return tl::unexpected(read_reason((*answer)["error"]));
  return (*answer)["gpu"];
}

Status Sweep::probe(Comparison& comparison) {
  if (settings_.builds_ahead) build_ahead(comparison);
  for (auto& arm : comparison.arms) {
    if (arm.unsupported) continue;
    if (interrupted()) return {};
    tell("probe", comparison.id + "/" + arm.id);
    ++progress_.done;
    const std::string key = "probe " + comparison.id + "/" + arm.id;
    Json line;
    if (auto old = done_.find(key); old != done_.end()) {
      line = old->second;
    } else {
      const double best = comparison.best_first_run_s();
      const double slow_limit_s = best > 0 ? std::max(slow_floor_s, slow_factor * best) : 2.0;
      auto answer = ask(probe_request(comparison, arm, slow_limit_s), settings_.arm_timeout_s);
      if (!answer && interrupted()) return {};  // given up, not timed out: a resumed run takes it up again
      if (answer) {
        line = std::move(*answer);
      } else {
        line = {{"end", {{"status", std::string(to_text(answer.error().status))}, {"reason", answer.error().reason}}}};
      }
      line["key"] = key;
      if (auto written = note(line); !written) return written;
    }
    if (line.contains("report")) {
      auto reply = read_probe_reply(line["report"]);
      if (!reply) return tl::unexpected(reply.error());
      arm.status = reply->report.status;
      arm.reason = reply->report.reason;
      arm.reply = std::move(*reply);
      if (comparison.info.input_digest.empty()) comparison.info.input_digest = to_hex(arm.reply->report.input_digest);
    } else if (line.contains("error")) {
      const auto reason = read_reason(line["error"]);
      arm.status = status_of(reason);
      arm.reason = reason.text;
    } else {
      arm.status = parse_run_status(line["end"].value("status", "crashed")).value_or(RunStatus::crashed);
      arm.reason = line["end"].value("reason", "");
    }
  }
  return {};
}

Result<std::vector<Sweep::Comparison*>> Sweep::list_all(const std::vector<PlannedComparison>& planned) {
  std::vector<Comparison*> mine;
  progress_ = {"list", 0, planned.size(), "", 0};
  for (const auto& plan : planned) {
    if (interrupted()) break;
    auto comparison = std::make_unique<Comparison>();
    comparison->planned = plan;
    comparison->id = problem_id(plan.problem);
    comparison->info.problem = comparison->id;
    comparison->info.suite = plan.suite;
    comparison->info.used_by = plan.used_by;
    comparison->info.blocks = plan.timed ? settings_.profile.blocks * plan.block_factor : 0;
    // Every comparison has an order of its own; the seed of the run and the problem's name decide it.
    comparison->info.schedule_seed = stream_key(settings_.seed, "schedule/" + comparison->id);
    tell("list", comparison->id);
    ++progress_.done;
    if (auto listed = list(*comparison); !listed) return tl::unexpected(listed.error());
    mine.push_back(comparison.get());
    comparisons_.push_back(std::move(comparison));
  }
  return mine;
}

Status Sweep::list_only(const std::vector<PlannedComparison>& planned) {
  if (auto listed = list_all(planned); !listed) return tl::unexpected(listed.error());
  return {};
}

Status Sweep::measure(const std::vector<PlannedComparison>& planned) {
  auto listed = list_all(planned);
  if (!listed) return tl::unexpected(listed.error());
  if (interrupted()) return {};
  const auto& mine = *listed;
  std::size_t arms = 0;
  for (const auto* comparison : mine)
    for (const auto& arm : comparison->arms) arms += !arm.unsupported;
  progress_ = {"probe", 0, arms, "", 0};
  for (auto* comparison : mine)
    if (auto probed = probe(*comparison); !probed || interrupted()) return probed;
  if (worker_) worker_->finish();
  worker_.reset();
  progress_ = {"process", 0, arms * processes(), "", 0};
  if (auto ran = run_processes(mine); !ran || interrupted()) return ran;
  std::vector<Comparison*> timed;
  arms = 0;
  for (auto* comparison : mine) {
    const auto alive = std::count_if(comparison->arms.begin(), comparison->arms.end(), [](const Arm& a) { return a.alive(); });
    if (!comparison->planned.timed || alive == 0) continue;
    timed.push_back(comparison);
    arms += static_cast<std::size_t>(alive);
  }
  progress_ = {"time", 0, arms, "", 0};
  return time(timed);
}

std::vector<ListedArm> Sweep::listed() const {
  std::vector<ListedArm> all;
  for (const auto& comparison : comparisons_)
    for (const auto& arm : comparison->arms)
      all.push_back({comparison->id + "/" + arm.id, comparison->planned.suite, comparison->planned.used_by, arm.unsupported});
  return all;
}

std::vector<ComparisonInfo> Sweep::comparisons() const {
  std::vector<ComparisonInfo> all;
  for (const auto& comparison : comparisons_) all.push_back(comparison->info);
  return all;
}

std::vector<Record> Sweep::records() const {
  std::vector<Record> all;
  for (const auto& comparison : comparisons_)
    for (const auto& arm : comparison->arms) {
      if (arm.status == RunStatus::skipped && arm.reason.empty()) continue;  // not reached: the run was interrupted
      Record record;
      record.id = comparison->id + "/" + arm.id;
      record.suite = comparison->planned.suite;
      record.status = arm.status;
      record.reason = arm.reason;
      record.claim = arm.algorithm.claim;
      record.timing = arm.timing;
      record.notes = arm.notes;
      if (arm.reply) {
        const auto& report = arm.reply->report;
        record.exact_equal = report.exact_equal;
        record.verification = report.verification;
        record.accuracy = report.accuracy;
        record.agreement = report.agreement;
        record.output_digest = to_hex(report.output_digest);
        record.input_digest = to_hex(report.input_digest);
        record.plan_s = report.plan_s;
        record.workspace_bytes = report.workspace_bytes;
        record.notes.insert(report.notes.begin(), report.notes.end());
        record.train_step = arm.reply->train_step;
        // An arm that lets the library pick: did fresh processes pick the same?
        for (const auto& [selected, count] : arm.process_selections)
          record.notes["selected_in_processes"] += (record.notes["selected_in_processes"].empty() ? "" : ", ") + selected + " x" + std::to_string(count);
      }
      all.push_back(std::move(record));
    }
  return all;
}

}  // namespace detbench
