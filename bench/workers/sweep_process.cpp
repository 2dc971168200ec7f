// Scope `process`: fresh workers run every surviving arm once; n counts processes (METHOD sections 3 and 6).
#include <algorithm>
#include <fstream>
#include <iterator>

#include "bench/core/agreement.hpp"
#include "bench/workers/sweep_state.hpp"

namespace detbench {

std::uint32_t Sweep::processes() const {
  const auto& out = settings_.left_out;
  return std::find(out.begin(), out.end(), Scope::process) == out.end() ? settings_.profile.process : 0;
}

Status Sweep::run_processes(std::vector<Comparison*> comparisons) {
  for (std::uint32_t round = 0; round < processes(); ++round) {
    // One fresh process per round for all arms: start-up stays far below a tenth of the time, and no arm ever runs in
    // a process that ran it before.
    for (auto* comparison : comparisons)
      for (auto& arm : comparison->arms) {
        if (!arm.alive() || (round >= 2 && comparison->is_slow(arm))) continue;
        if (interrupted()) return {};
        tell("process", comparison->id + "/" + arm.id);
        ++progress_.done;
        const std::string key = "process " + std::to_string(round) + " " + comparison->id + "/" + arm.id;
        Json line;
        if (auto old = done_.find(key); old != done_.end()) {
          line = old->second;
        } else {
          Json request = probe_request(*comparison, arm, 0);
          request["do"] = "once";
          auto answer = ask(request, settings_.arm_timeout_s);
          if (!answer && interrupted()) return {};
          line = answer ? std::move(*answer) : Json{{"end", answer.error().reason}};
          line["key"] = key;
          if (auto written = note(line); !written) return written;
        }
        if (line.contains("digest") && line["digest"].is_string()) {
          arm.process_digests.push_back(line["digest"].get<std::string>());
          if (const auto notes = line.find("notes"); notes != line.end() && notes->contains("selected"))
            ++arm.process_selections[(*notes)["selected"].get<std::string>()];
        } else {
          arm.process_failure = line.contains("error") ? read_reason(line["error"]).text : line.value("end", "no answer");
        }
      }
    if (worker_) worker_->finish();
    worker_.reset();
  }
  for (auto* comparison : comparisons)
    for (auto& arm : comparison->arms)
      if (arm.alive() && arm.reply) judge_processes(*comparison, arm);
  if (worker_) worker_->finish();
  worker_.reset();
  return {};
}

void Sweep::fresh_worker() {
  if (worker_) worker_->finish();
  worker_.reset();
}

Result<ArmReport> Sweep::probe_again(const std::string& case_name, const std::vector<Scope>& scopes) {
  const auto slash = case_name.rfind('/');
  for (const auto& comparison : comparisons_)
    for (const auto& arm : comparison->arms) {
      if (slash == std::string::npos || comparison->id != case_name.substr(0, slash) || arm.id != case_name.substr(slash + 1)) continue;
      tell("again", case_name);
      ++progress_.done;
      const std::string key = "again " + format_scopes(scopes) + " " + case_name;
      Json line;
      if (auto old = done_.find(key); old != done_.end()) {
        line = old->second;
      } else {
        Json request = probe_request(*comparison, arm, 0);
        auto settings = read_probe_settings(request["settings"]);
        if (!settings) return tl::unexpected(settings.error());
        settings->slow_limit_s = ProbeSettings{}.slow_limit_s;
        for (const auto scope : all_scopes)
          if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) settings->left_out.push_back(scope);
        request["settings"] = to_json(*settings);
        auto answer = ask(request, settings_.arm_timeout_s);
        if (!answer && interrupted()) return failure("interrupted");
        line = answer ? std::move(*answer) : Json{{"end", {{"status", std::string(to_text(answer.error().status))}, {"reason", answer.error().reason}}}};
        line["key"] = key;
        if (auto written = note(line); !written) return tl::unexpected(written.error());
      }
      if (line.contains("report")) {
        auto reply = read_probe_reply(line["report"]);
        if (!reply) return tl::unexpected(reply.error());
        return std::move(reply->report);
      }
      ArmReport report;
      if (line.contains("error")) {
        report.status = RunStatus::skipped;
        report.reason = read_reason(line["error"]).text;
      } else {
        report.status = parse_run_status(line["end"].value("status", "crashed")).value_or(RunStatus::crashed);
        report.reason = line["end"].value("reason", "");
      }
      return report;
    }
  return failure("'" + case_name + "' was not measured in this run");
}

Result<Json> Sweep::diverge(const std::string& key, Json request) { return ask_journaled("diverge", key, std::move(request), settings_.arm_timeout_s); }

Result<Json> Sweep::ablate(const std::string& key, Json request, double timeout_s) { return ask_journaled("ablate", key, std::move(request), timeout_s); }

Result<Json> Sweep::ask_journaled(const std::string& what, const std::string& key, Json request, double timeout_s) {
  tell(what, key);
  ++progress_.done;
  const std::string line_key = what + " " + key;
  if (auto old = done_.find(line_key); old != done_.end()) return old->second;
  request["do"] = what;
  auto answer = ask(request, timeout_s);
  if (!answer && interrupted()) return failure("interrupted");
  Json line = answer ? std::move(*answer) : Json{{"error", to_json(Reason{answer.error().reason, Reason::Kind::failed})}};
  line["key"] = line_key;
  if (auto written = note(line); !written) return tl::unexpected(written.error());
  return line;
}

void Sweep::judge_processes(Comparison& comparison, Arm& arm) {
  auto& report = arm.reply->report;
  Stage stage;
  stage.name = "fresh processes";
  stage.distinct.push_back(report.output_digest);
  for (const auto& text : arm.process_digests) count_run(stage, report.output_digest, parse_digest(text).value_or(Digest{}));
  if (stage.runs == 0) stage.unavailable = "no fresh process answered: " + arm.process_failure;
  const auto repeat = std::find_if(report.agreement.begin(), report.agreement.end(), [](const ScopeResult& s) { return s.scope == Scope::repeat; });
  const bool has_repeat = repeat != report.agreement.end();
  ScopeResult result;
  result.scope = Scope::process;
  if (processes() == 0) {
    result.reason = "the profile runs no fresh processes";
  } else {
    result = judge_scope(Scope::process, {std::move(stage)}, std::nullopt, has_repeat ? &*repeat : nullptr);
    // Where repeats differ already, their witness says all that a process could.
    if (result.verdict == ScopeVerdict::differs && !(has_repeat && repeat->verdict == ScopeVerdict::differs))
      result.witness = witness_of(comparison, arm);
  }
  report.agreement.insert(has_repeat ? repeat + 1 : report.agreement.begin(), std::move(result));
}

std::optional<Witness> Sweep::witness_of(const Comparison& comparison, const Arm& arm) {
  // Digests cannot show an element, so fresh processes run again until two of them disagree; their canonical outputs
  // meet in scratch files.
  constexpr int attempts = 4;
  std::vector<std::byte> first;
  std::string first_digest;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (worker_) worker_->finish();
    worker_.reset();
    const auto file = settings_.directory / "witness.bin";
    Json request = probe_request(comparison, arm, 0);
    request["do"] = "once";
    request["keep"] = file.string();
    auto answer = ask(request, settings_.arm_timeout_s);
    if (!answer || !answer->contains("digest")) break;
    std::ifstream in(file, std::ios::binary);
    std::vector<std::byte> bytes;
    for (std::istreambuf_iterator<char> c(in), end; c != end; ++c) bytes.push_back(static_cast<std::byte>(*c));
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    const auto digest = (*answer)["digest"].get<std::string>();
    if (attempt == 0) {
      first = std::move(bytes);
      first_digest = digest;
      continue;
    }
    if (digest == first_digest || bytes.size() != first.size() || bytes.size() % 4 != 0) continue;
    // Outputs are compared as 32-bit words in canonical order; a process witness names the position in the joined
    // outputs.
    const Shape shape{static_cast<std::int64_t>(bytes.size() / 4)};
    auto witness = make_witness({parse_digest(first_digest).value_or(Digest{}), {{"outputs", DataType::f32, shape, canonical_layout(shape)}}, {first}},
                                {bytes}, "fresh processes", static_cast<std::uint32_t>(attempt));
    if (witness) return *witness;
    break;
  }
  return std::nullopt;
}

}  // namespace detbench
