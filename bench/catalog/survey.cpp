#include "bench/catalog/survey.hpp"

#include <algorithm>
#include <chrono>

namespace detbench::catalog {
namespace {

using End = IsolatedOutcome::End;

/// A step that kills cuDNN is left out and the problem asked again; a library in which this many steps do is not asked further.
constexpr int most_attempts = 8;

Json reason_json(const Reason& reason) { return {{"reason", reason.text}, {"kind", static_cast<int>(reason.kind)}}; }

Reason read_reason(const Json& json) {
  return {json.value("reason", std::string("no reason given")), static_cast<Reason::Kind>(json.value("kind", static_cast<int>(Reason::Kind::failed)))};
}

Json to_json(const TargetFacts& f) {
  return {{"version", f.cudnn_version}, {"arch", f.arch}, {"device", f.device}, {"asked_device", f.asked_device}, {"driver", f.driver == DriverLibrary::present}};
}

Result<TargetFacts> describe(const std::string& arch, const IsolationSettings& settings, const Oracle& oracle) {
  IsolationSettings one = settings;
  one.progress = nullptr;
  auto outcome = run_isolated(
      1,
      [&](std::size_t, const Announce&) {
        const auto facts = oracle.describe(arch);
        return facts ? to_json(*facts) : reason_json(facts.error());
      },
      one);
  if (!outcome) return tl::unexpected(outcome.error());
  const auto& first = outcome->front();
  if (first.end != End::answered) return failure("cuDNN cannot be asked: the process that loaded it " + (first.reason.empty() ? "was interrupted" : first.reason));
  if (first.answer.contains("reason")) return tl::unexpected(read_reason(first.answer));
  return TargetFacts{first.answer.value("version", ""), first.answer.value("arch", ""), first.answer.value("device", ""), first.answer.value("asked_device", false),
                     first.answer.value("driver", false) ? DriverLibrary::present : DriverLibrary::absent};
}

/// One problem on its way to an answer.
struct Pending {
  std::size_t index;
  SkippedSteps skipped;
};

class Survey {
 public:
  Survey(std::vector<Entry> entries, std::string arch, const IsolationSettings& settings, const Oracle& oracle)
      : entries_(std::move(entries)), arch_(std::move(arch)), settings_(settings), oracle_(oracle) {}

  Status run() {
    std::vector<Pending> pending;
    for (std::size_t i = 0; i < entries_.size(); ++i) pending.push_back({i, {}});
    for (int attempt = 1; !pending.empty() && !interrupted_; ++attempt) {
      auto outcomes = run_isolated(
          pending.size(),
          [&](std::size_t i, const Announce& announce) {
            const auto entry = oracle_.ask(entries_[pending[i].index].problem, arch_, pending[i].skipped, announce);
            return entry ? to_json(*entry) : reason_json(entry.error());
          },
          settings_);
      if (!outcomes) return tl::unexpected(outcomes.error());
      std::vector<Pending> again;
      for (std::size_t i = 0; i < pending.size(); ++i) take(pending[i], (*outcomes)[i], attempt, again);
      pending = std::move(again);
    }
    return {};
  }

  std::vector<Entry> take_entries() { return std::move(entries_); }
  bool interrupted() const { return interrupted_; }

 private:
  void take(const Pending& asked, const IsolatedOutcome& outcome, int attempt, std::vector<Pending>& again) {
    auto& entry = entries_[asked.index];
    if (outcome.end == End::stopped) {
      interrupted_ = true;
      return;
    }
    if (outcome.end == End::answered) {
      if (outcome.answer.contains("reason")) entry.failure = read_reason(outcome.answer).text;
      else if (auto read = read_entry(outcome.answer, problem_id(entry.problem))) answer(entry, std::move(*read));
      else entry.failure = "answered with something else than an answer: " + read.error().text;
      return;
    }
    const bool step_is_known = !outcome.last_step.empty() && !asked.skipped.contains(outcome.last_step);
    if (step_is_known && attempt < most_attempts) {
      Pending next = asked;
      next.skipped[outcome.last_step] = outcome.reason;
      again.push_back(std::move(next));
      return;
    }
    entry.failure = "the process that asked cuDNN " + outcome.reason + (outcome.last_step.empty() ? "" : ", at " + outcome.last_step);
  }

  static void answer(Entry& entry, Entry&& read) {
    entry.engines = std::move(read.engines);
    entry.rankings = std::move(read.rankings);
    entry.failure = std::move(read.failure);
  }

  std::vector<Entry> entries_;
  std::string arch_;
  const IsolationSettings& settings_;
  const Oracle& oracle_;
  bool interrupted_ = false;
};

}  // namespace

std::string engine_step(std::int64_t engine) { return "engine " + std::to_string(engine); }
std::string heuristic_step(HeuristicMode mode) { return "heuristic " + std::string(to_text(mode)); }

Result<SurveyResult> survey(std::vector<Entry> entries, const std::string& arch, const std::string& source, const IsolationSettings& settings,
                            const Oracle& oracle) {
  const auto begun = std::chrono::steady_clock::now();
  const auto facts = describe(arch, settings, oracle);
  if (!facts) return tl::unexpected(facts.error());
  Survey survey(std::move(entries), arch, settings, oracle);
  if (auto ran = survey.run(); !ran) return tl::unexpected(ran.error());
  SurveyResult result;
  result.interrupted = survey.interrupted();
  auto& c = result.catalog;
  c.cudnn_version = facts->cudnn_version;
  c.arch = facts->arch;
  c.device = facts->device;
  c.asked_device = facts->asked_device;
  c.driver = facts->driver;
  c.source = source;
  c.entries = survey.take_entries();
  c.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

}  // namespace detbench::catalog
