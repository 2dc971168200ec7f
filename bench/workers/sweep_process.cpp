// Scope `process`: fresh workers run every surviving arm once; n counts processes (METHOD sections 3 and 6).
#include <algorithm>
#include <fstream>
#include <iterator>

#include "bench/core/statistics.hpp"
#include "bench/workers/sweep_state.hpp"
#include "kernels/tensor/compare.hpp"

namespace detbench {

Status Sweep::run_processes(std::vector<Comparison*> comparisons) {
  for (std::uint32_t round = 0; round < settings_.profile.process; ++round) {
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
          line = answer ? std::move(*answer) : Json{{"end", answer.error().reason}};
          line["key"] = key;
          if (auto written = note(line); !written) return written;
        }
        if (line.contains("digest") && line["digest"].is_string()) {
          arm.process_digests.push_back(line["digest"].get<std::string>());
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

void Sweep::judge_processes(Comparison& comparison, Arm& arm) {
  auto& report = arm.reply->report;
  ScopeResult result;
  result.scope = Scope::process;
  Stage stage;
  stage.name = "fresh processes";
  stage.runs = static_cast<std::uint32_t>(arm.process_digests.size());
  stage.distinct.push_back(report.output_digest);
  for (const auto& text : arm.process_digests) {
    const auto digest = parse_digest(text).value_or(Digest{});
    stage.differing_runs += digest != report.output_digest;
    if (std::find(stage.distinct.begin(), stage.distinct.end(), digest) == stage.distinct.end()) stage.distinct.push_back(digest);
  }
  result.runs = stage.runs;
  result.distinct = static_cast<std::uint32_t>(stage.distinct.size());
  const auto repeat = std::find_if(report.agreement.begin(), report.agreement.end(), [](const ScopeResult& s) { return s.scope == Scope::repeat; });
  const bool differs_in_repeat = repeat != report.agreement.end() && repeat->verdict == ScopeVerdict::differs;
  if (stage.runs == 0) {
    result.verdict = settings_.profile.process == 0 ? ScopeVerdict::not_measured : ScopeVerdict::untested;
    result.reason = settings_.profile.process == 0 ? "the profile runs no fresh processes" : "no fresh process answered: " + arm.process_failure;
  } else if (stage.differing_runs == 0) {
    result.verdict = ScopeVerdict::no_difference;
    result.bound = sampling_bound(stage.runs);
  } else if (differs_in_repeat) {
    // Unless no digest was seen in `repeat`, the fresh process adds nothing to what repeats already showed.
    std::vector<Digest> seen;
    for (const auto& s : repeat->stages) seen.insert(seen.end(), s.distinct.begin(), s.distinct.end());
    const bool disjoint = std::all_of(arm.process_digests.begin(), arm.process_digests.end(), [&](const std::string& text) {
      return std::find(seen.begin(), seen.end(), parse_digest(text).value_or(Digest{})) == seen.end();
    });
    result.verdict = disjoint ? ScopeVerdict::differs : ScopeVerdict::already_differs;
  } else {
    result.verdict = ScopeVerdict::differs;
    result.witness = witness_of(comparison, arm);
  }
  result.stages.push_back(std::move(stage));
  const auto after_repeat = repeat == report.agreement.end() ? report.agreement.begin() : repeat + 1;
  report.agreement.insert(after_repeat, std::move(result));
}

std::optional<Witness> Sweep::witness_of(const Comparison& comparison, const Arm& arm) {
  // Digests cannot show an element, so fresh processes run again until two of them disagree; their canonical outputs
  // meet in scratch files.
  constexpr int attempts = 4;
  std::vector<char> first;
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
    std::vector<char> bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    const auto digest = (*answer)["digest"].get<std::string>();
    if (attempt == 0) {
      first = std::move(bytes);
      first_digest = digest;
      continue;
    }
    if (digest == first_digest || bytes.size() != first.size() || bytes.size() % 4 != 0) continue;
    // Outputs are compared as 32-bit words in canonical order; the row's repeat witness names the tensor when there
    // is one, a process witness names the position in the joined outputs.
    const Shape shape{static_cast<std::int64_t>(bytes.size() / 4)};
    const TensorSpec spec{"outputs", DataType::f32, shape, canonical_layout(shape)};
    auto compared = compare_on_host({spec, {first.data(), first.size()}}, {spec, {bytes.data(), bytes.size()}});
    if (!compared) break;
    Witness witness;
    witness.stage = "fresh processes";
    witness.run = static_cast<std::uint32_t>(attempt);
    witness.output = "outputs";
    witness.element = compared->first_element;
    witness.baseline_bits = compared->first_bits;
    witness.run_bits = compared->second_bits;
    witness.elements = compared->elements;
    witness.differing = compared->differing;
    witness.v_ermv = compared->v_ermv;
    witness.max_ulp = compared->max_ulp;
    return witness;
  }
  return std::nullopt;
}

}  // namespace detbench
