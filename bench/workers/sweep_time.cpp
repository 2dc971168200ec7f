// The timing phase: one worker holds one comparison at a time; when it dies, the arm in flight is marked and the
// comparison starts over without it in a new worker, so that blocks of different processes are never paired.
#include <algorithm>
#include <fstream>

#include "bench/workers/sweep_state.hpp"

namespace detbench {
namespace {

/// What the timing worker was at when it died: comparison and arm, from the file it keeps.
std::optional<std::pair<std::size_t, std::size_t>> read_in_flight(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::size_t comparison = 0, arm = 0;
  if (file >> comparison >> arm) return std::pair{comparison, arm};
  return std::nullopt;
}

}  // namespace

/// A train step's enqueue() performs several steps; what is reported is the time of one.
void Sweep::per_step(std::vector<Sample>& samples, const Arm& arm) {
  if (!arm.reply || !arm.reply->train_step) return;
  const auto steps = std::max(1U, arm.reply->train_step->steps);
  for (auto& sample : samples) {
    sample.elapsed_s /= steps;
    sample.iterations *= steps;
  }
}

Status Sweep::take_timing(Comparison& comparison, const Json& line) {
  auto info = read_comparison_info(line.value("info", Json::object()), "journal.info");
  if (!info) return tl::unexpected(info.error());
  comparison.info = std::move(*info);
  for (auto& arm : comparison.arms) {
    if (line["failed"].contains(arm.id)) {
      const auto reason = read_reason(line["failed"][arm.id]);
      arm.status = reason.kind == Reason::Kind::out_of_memory ? RunStatus::out_of_memory : RunStatus::crashed;
      arm.reason = "while being timed: " + reason.text;
    }
    if (!line["arms"].contains(arm.id)) continue;
    auto timing = read_timing(line["arms"][arm.id], "journal.arms");
    if (!timing) return tl::unexpected(timing.error());
    arm.timing = std::move(*timing);
  }
  return {};
}

Status Sweep::time(std::vector<Comparison*> comparisons) {
  const auto in_flight = settings_.directory / "in_flight";
  // What an earlier run finished is taken over, the rest is planned.
  std::vector<Comparison*> left;
  for (auto* comparison : comparisons) {
    const auto old = done_.find("time " + comparison->id);
    if (old == done_.end()) {
      left.push_back(comparison);
    } else if (auto taken = take_timing(*comparison, old->second); !taken) {
      return taken;
    }
  }
  int runs = 0;
  bool builds_ahead = true;
  while (!left.empty() && !interrupted()) {
    TimingPlan plan;
    plan.inputs = {InputFill::rounding, settings_.seed};
    plan.base = settings_.base;
    plan.in_flight_file = in_flight.string();
    plan.builds_ahead = builds_ahead;
    // A second worker would truncate the first one's --benchmark_out, so it gets a name of its own.
    for (auto argument : settings_.benchmark_arguments) {
      if (runs > 0 && argument.rfind("--benchmark_out=", 0) == 0) argument += "." + std::to_string(runs + 1);
      plan.benchmark_arguments.push_back(argument);
    }
    std::vector<std::vector<Arm*>> arms_of;
    for (auto* comparison : left) {
      TimedComparison timed{comparison->planned.problem, comparison->info.schedule_seed, comparison->info.blocks, {}, {}, 0, 0};
      std::vector<Arm*> arms;
      double best = -1;
      for (auto& arm : comparison->arms) {
        if (!arm.alive()) continue;
        const double first = arm.reply->report.first_run_s;
        if (best < 0 || first < best) {
          best = first;
          timed.twin_of = static_cast<std::uint32_t>(arms.size());
        }
        timed.workspace_bytes = std::max(timed.workspace_bytes, arm.reply->report.workspace_bytes);
        timed.arms.push_back(arm.algorithm);
        timed.slow.push_back(comparison->is_slow(arm));
        arms.push_back(&arm);
      }
      plan.comparisons.push_back(std::move(timed));
      arms_of.push_back(std::move(arms));
    }
    std::error_code ignored;
    std::filesystem::remove(in_flight, ignored);
    auto started = worker();
    if (!started) return tl::unexpected(started.error());
    ++runs;
    auto message = (*started)->ask(to_json(plan), settings_.arm_timeout_s);
    std::vector<std::vector<Sample>> samples;  // of the comparison in flight, twin last
    std::size_t current = plan.comparisons.size(), finished = 0;
    for (; message; message = worker_->next(settings_.arm_timeout_s)) {
      if (message->contains("done")) break;
      if (message->contains("error")) return failure("the timing worker refused its plan: " + read_reason((*message)["error"]).text);
      const auto index = message->value("comparison", std::size_t{0});
      if (index >= left.size()) return failure("the timing worker spoke of a comparison it was not given");
      auto& comparison = *left[index];
      const auto& timed = plan.comparisons[index];
      if (index != current) {
        current = index;
        samples.assign(timed.arms.size() + 1, {});
        tell("time", comparison.id);
      }
      for (const auto& json : message->value("samples", Json::array())) {
        Json plain = json;
        const auto arm = plain.value("arm", std::size_t{0});
        plain.erase("arm");
        auto sample = read_sample(plain, "sample");
        if (!sample) return tl::unexpected(sample.error());
        if (arm < samples.size()) samples[arm].push_back(*sample);
      }
      const bool unprepared = message->contains("unprepared");
      if (!message->contains("finished") && !unprepared) {
        if (interrupted()) break;
        continue;
      }
      finished = index + 1;
      progress_.done += timed.arms.size();
      Json line{{"key", "time " + comparison.id}, {"arms", Json::object()}, {"failed", Json::object()}};
      ComparisonInfo info = comparison.info;
      info.twin_of = arms_of[index][timed.twin_of]->id;
      per_step(samples.back(), *arms_of[index][timed.twin_of]);
      info.twin_samples = samples.back();
      line["info"] = to_json(info);
      for (std::size_t a = 0; a < timed.arms.size(); ++a) {
        const auto& id = arms_of[index][a]->id;
        if (unprepared) {
          line["failed"][id] = (*message)["unprepared"];
          continue;
        }
        const auto& failed = (*message)["failed"];
        if (failed.contains(std::to_string(a))) line["failed"][id] = failed[std::to_string(a)];
        if (samples[a].empty()) continue;
        const auto& digest = (*message)["digests"][a];
        per_step(samples[a], *arms_of[index][a]);
        line["arms"][id] = to_json(Timing{samples[a], digest.is_string() ? digest.get<std::string>() : "", timed.slow[a]});
      }
      if (auto written = note(line); !written) return written;
      if (auto taken = take_timing(comparison, line); !taken) return taken;
      if (interrupted()) break;
    }
    if (message) {
      if (!message->contains("done")) worker_.reset();  // interrupted: the worker is killed, finished comparisons stay
      else if (worker_) worker_->finish();
      worker_.reset();
      if (message->contains("done")) return {};
      break;
    }
    worker_.reset();
    if (interrupted()) break;
    // The worker died: the arm it was at carries the reason, its comparison starts over without it.
    const auto at = read_in_flight(in_flight);
    const auto comparison = at && at->first < left.size() ? at->first : std::min(finished, left.size() - 1);
    const auto& arms = arms_of[comparison];
    // Of plans built side by side none can be blamed: the next worker builds each in its own turn, which names the one.
    if (at && at->first < left.size() && at->second > arms.size() && builds_ahead) {
      builds_ahead = false;
      left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(comparison));
      continue;
    }
    const auto arm_index = at && at->second < arms.size() ? at->second : plan.comparisons[comparison].twin_of;
    arms[arm_index]->status = message.error().status;
    arms[arm_index]->reason = "while being timed: " + message.error().reason;
    const Json line{{"key", "time lost " + left[comparison]->id + "/" + arms[arm_index]->id}, {"reason", arms[arm_index]->reason}};
    if (auto written = note(line); !written) return written;
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(comparison));
    const auto alive = std::any_of(left.front()->arms.begin(), left.front()->arms.end(), [](const Arm& a) { return a.alive(); });
    if (!alive) left.erase(left.begin());
  }
  return {};
}

}  // namespace detbench
