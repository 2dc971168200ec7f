#include "bench/analysis/headlines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/provenance.hpp"
#include "kernels/problem.hpp"

namespace detbench::analysis {
namespace {

constexpr const char* heuristic_policy = "library_heuristic";

Options options_of(const ArmView& arm) {
  Options options;
  const auto at = arm.algorithm.find('@');
  if (at == std::string::npos) return options;
  for (std::size_t from = at + 1; from <= arm.algorithm.size();) {
    const auto end = std::min(arm.algorithm.find(',', from), arm.algorithm.size());
    const auto option = arm.algorithm.substr(from, end - from);
    const auto equals = std::min(option.find('='), option.size());
    options[option.substr(0, equals)] = equals < option.size() ? option.substr(equals + 1) : "";
    from = end + 1;
  }
  return options;
}

/// The policy alone: "network:budget:10%@exec=graph,steps=3" -> "budget:10%".
std::string plain_policy(const ArmView& arm) {
  const auto name = policy_name(arm);
  return name.substr(0, name.find('@'));
}

/// What arms of one headline share: every option that no policy is told apart by.
Options setting_of(const ArmView& arm) {
  auto options = options_of(arm);
  options.erase("steps");
  return options;
}

std::string setting_words(const Options& options, bool on_gpu) {
  std::vector<std::string> words;
  const auto exec = options.find("exec");
  const auto how = exec == options.end() ? std::string(on_gpu ? "launches" : "") : exec->second;
  if (how == "launches") words.push_back("by launches");
  else if (how == "streams") words.push_back("on two streams");
  else if (how == "graph") words.push_back("as a CUDA graph");
  else if (how == "streams_graph") words.push_back("as a CUDA graph of two streams");
  else if (!how.empty()) words.push_back("execution " + how);
  for (const auto& [key, value] : options) {
    if (key == "exec") continue;
    if (key == "bn") words.push_back("batch norm " + value);
    else if (key == "optimizer") words.push_back("optimizer " + value);
    else if (key == "regularized") words.push_back(value == "0" ? "without dropout" : "with dropout");
    else words.push_back(key + "=" + value);
  }
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string size_words(const std::string& shape) {
  const auto fields = parse_shape(shape);
  if (!fields) return shape;
  std::string text;
  for (const auto& [key, value] : *fields) {
    text += text.empty() ? "" : ", ";
    if (key == "px") text += value + " px";
    else if (key == "mb") text += "batch " + value;
    else if (key == "classes") text += value + " classes";
    else text += key + " " + value;
  }
  return text;
}

std::string precision_words(const std::string& types) {
  static const std::map<std::string, std::string> words{
      {"f32_f32_strict", "strict f32"}, {"f32_f32_tf32", "TF32"}, {"bf16_f32_strict", "bf16 mixed"}, {"f16_f32_strict", "f16 mixed"}};
  const auto found = words.find(types);
  return found == words.end() ? types : found->second;
}

std::string milliseconds(double seconds) {
  const double value = seconds * ms;
  return value < 100 ? fmt::format("{:.3g} ms", value) : fmt::format("{:.0f} ms", value);
}

std::string band_words(const ComparisonView& view) {
  const auto band = view.symmetric_band();
  return band ? fmt::format("A/A band {:.3f} to {:.3f}", band->low, band->high) : std::string("no A/A band");
}

/// Three digits behind the point; of large ones three digits in all.
std::string digits(double ratio) { return ratio < 10 ? fmt::format("{:.3f}", ratio) : fmt::format("{:.3g}", ratio); }

std::string ratio_words(const Interval& ratio) {
  return fmt::format("{}x (95 %: {} to {})", digits(ratio.middle), digits(ratio.low), digits(ratio.high));
}

/// The machine, and the libraries whose choice of algorithms a policy makes.
std::string machine_words(const ResultFile& file) {
  std::string text = machine_label(file);
  const auto libraries = file.manifest.find("libraries");
  if (libraries == file.manifest.end() || !libraries->is_object()) return text;
  for (const char* name : {"cudnn", "cublas", "onednn"}) {
    const auto version = libraries->find(name);
    const bool of_backend = (file.backend == "cuda") == (std::string_view(name) != "onednn");
    if (of_backend && version != libraries->end() && version->is_string() && *version != "absent") text += fmt::format(", {} {}", name, version->get<std::string>());
  }
  return text;
}

std::string verdict_words(TimingVerdict verdict, const ComparisonView& view) {
  if (view.busy) return "ambiguous: busy machine";
  switch (verdict) {
    case TimingVerdict::same: return "within noise";
    case TimingVerdict::ambiguous: return view.twin_band ? "ambiguous: meets the A/A band" : "ambiguous: no A/A band";
    default: return std::string(to_text(verdict));
  }
}

/// A ratio with what is to be said of it; the arm itself costs exactly nothing against itself.
void compare(const ComparisonView& view, const ArmView* base, const ArmView& arm, std::optional<Interval>& ratio, std::string& verdict) {
  if (!base || !base->timed() || !arm.timed()) return;
  ratio = ratio_between(view, *base, arm);
  if (!ratio) return;
  verdict = base->record == arm.record ? "itself" : verdict_words(view.busy ? TimingVerdict::ambiguous : judge(*ratio, view.twin_band), view);
}

const char* noun_of(Scope scope, bool one) {
  switch (scope) {
    case Scope::repeat: return one ? "repeat" : "repeats";
    case Scope::process: return one ? "process" : "processes";
    case Scope::load: return one ? "run under load" : "runs under load";
    case Scope::placement: return one ? "placement" : "placements";
    case Scope::partition: return one ? "partition" : "partitions";
    case Scope::capture: return one ? "graph capture" : "graph captures";
    case Scope::batch: return one ? "other batch" : "other batches";
    default: return one ? "machine" : "machines";
  }
}

std::string counted(std::uint32_t n, Scope scope) { return fmt::format("{} {}", n, noun_of(scope, n == 1)); }

/// "asking for no difference run to run costs 1.060x (95 %: 1.02 to 1.10; slower), by policy X".
std::string demand_words(const Headline& headline, Demand demand) {
  const auto& view = *headline.view;
  const auto price = price_of(view, demand);
  const auto what = fmt::format("no difference {}", to_text(demand));
  if (!price.chosen) return fmt::format("{}: {}", what, price.why_not);
  const auto policy = plain_policy(*price.chosen);
  if (price.chosen == price.fastest) return what + " costs nothing here: the fastest policy showed none";
  const auto ratio = price.interval ? ratio_words(*price.interval) : digits(*price.ratio) + "x (too few blocks for an interval)";
  return fmt::format("{} costs {}, {}, with policy \"{}\"", what, ratio, verdict_words(price.verdict, view), policy);
}

bool partition_was_tested(const ComparisonView& view) {
  return std::any_of(view.arms.begin(), view.arms.end(), [](const ArmView& arm) {
    const auto* scope = find_scope(*arm.record, Scope::partition);
    return scope && (scope->verdict == ScopeVerdict::no_difference || scope->verdict == ScopeVerdict::differs || scope->verdict == ScopeVerdict::already_differs);
  });
}

}  // namespace

std::string Headline::title() const {
  return fmt::format("{} of {} ({}; {}{}{})", phase, network, size, precision, setting.empty() ? "" : "; ", setting);
}

std::vector<Headline> make_headlines(const std::vector<ComparisonView>& views) {
  std::vector<Headline> headlines;
  for (const auto& view : views) {
    if (!is_network(view)) continue;
    // In the order in which the file has them.
    std::vector<std::pair<const Record*, Options>> settings;
    for (const auto& arm : view.arms) {
      const auto setting = setting_of(arm);
      const auto known = std::find_if(settings.begin(), settings.end(), [&](const auto& s) { return s.second == setting; });
      if (known == settings.end()) settings.emplace_back(arm.record, setting);
      else known->first = std::min(known->first, arm.record);
    }
    std::sort(settings.begin(), settings.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [record, setting] : settings) {
      Headline h;
      h.view = std::make_shared<ComparisonView>(narrowed(view, [&, s = &setting](const ArmView& arm) { return setting_of(arm) == *s; }));
      h.machine = machine_words(*view.file);
      h.phase = is_train_step(view) ? "train step" : "inference";
      const auto name_at = view.op.find('_', is_train_step(view) ? std::string("train_").size() : 0);
      h.network = name_at == std::string::npos ? view.op : view.op.substr(name_at + 1);
      if (const auto problem = parse_problem_id(view.problem)) {
        h.size = size_words(problem->shape);
        h.precision = precision_words(problem->types);
      }
      h.setting = setting_words(setting, view.file->backend == "cuda");
      const auto& some = *h.view;
      if (some.fastest) h.fastest = &some.arms[*some.fastest];
      const ArmView* heuristic = nullptr;
      for (const auto& arm : some.arms)
        if (plain_policy(arm) == heuristic_policy) heuristic = &arm;
      for (const auto& arm : some.arms) {
        PolicyCost cost;
        cost.arm = &arm;
        cost.policy = plain_policy(arm);
        compare(some, h.fastest, arm, cost.to_fastest, cost.verdict_to_fastest);
        compare(some, heuristic, arm, cost.to_heuristic, cost.verdict_to_heuristic);
        cost.bits = bits_in_words(*arm.record);
        h.costs.push_back(std::move(cost));
      }
      headlines.push_back(std::move(h));
    }
  }
  return headlines;
}

std::string bits_in_words(const Record& record) {
  if (record.agreement.empty()) return "bits not probed";
  const bool none_can_show = !cannot_show(record).empty();
  std::string different, same, unknown;
  for (const auto& scope : record.agreement) {
    // n counts runs where samples are drawn, and configurations where each is prepared anew and run more than once.
    std::uint32_t differing = 0;
    for (const auto& stage : scope.stages) differing += is_sampling(scope.scope) ? stage.differing_runs : stage.differing_runs > 0;
    switch (scope.verdict) {
      case ScopeVerdict::differs:
        different += fmt::format("{}{} of {} ({} distinct)", different.empty() ? "" : ", ", differing, counted(scope.runs, scope.scope), scope.distinct);
        break;
      case ScopeVerdict::already_differs:
        different += fmt::format("{}{} of {} (as in repeat)", different.empty() ? "" : ", ", differing, counted(scope.runs, scope.scope));
        break;
      case ScopeVerdict::no_difference: same += (same.empty() ? "" : ", ") + counted(scope.runs, scope.scope); break;
      case ScopeVerdict::untested: unknown += fmt::format("{}{} untested", unknown.empty() ? "" : ", ", to_text(scope.scope)); break;
      case ScopeVerdict::not_measured: unknown += fmt::format("{}{} not measured", unknown.empty() ? "" : ", ", to_text(scope.scope)); break;
      case ScopeVerdict::not_applicable: break;
    }
  }
  std::string text;
  if (!different.empty()) text = "bits differ in " + different;
  if (!same.empty()) text += fmt::format("{}no difference in {}{}", text.empty() ? "" : "; ", same, none_can_show ? " (and none can show)" : "");
  if (!unknown.empty()) text += (text.empty() ? "" : "; ") + unknown;
  return text.empty() ? "no scope applies" : text;
}

std::string sentence(const Headline& h) {
  const auto on = "on " + h.machine + ": ";
  if (!h.fastest) {
    std::string text = on + "no policy was timed";
    for (const auto& cost : h.costs) text += fmt::format("; {} {}", cost.policy, to_text(cost.arm->record->status));
    return text + ".";
  }
  const auto& cost = *std::find_if(h.costs.begin(), h.costs.end(), [&](const auto& c) { return c.arm == h.fastest; });
  std::string text = fmt::format("{}the fastest policy is \"{}\" with {} (median of {} blocks; {}), {}; {}", on, cost.policy, milliseconds(h.fastest->time->median_s),
                                 h.fastest->time->used, band_words(*h.view), cost.bits, demand_words(h, Demand::run_to_run));
  if (partition_was_tested(*h.view)) text += "; " + demand_words(h, Demand::partition);
  return text + ".";
}

std::string sentence(const PolicyCost& cost) {
  const auto& record = *cost.arm->record;
  if (!cost.arm->timed())
    return fmt::format("{}: {}{}", cost.policy, record.status == RunStatus::ok ? "not timed" : to_text(record.status),
                       record.reason.empty() ? "" : " (" + record.reason + ")") + (record.agreement.empty() ? "" : "; " + cost.bits);
  std::string text = fmt::format("{}: {}", cost.policy, milliseconds(cost.arm->time->median_s));
  if (cost.to_fastest && cost.verdict_to_fastest != "itself") text += fmt::format(", {} the fastest, {}", ratio_words(*cost.to_fastest), cost.verdict_to_fastest);
  if (cost.to_heuristic && cost.verdict_to_heuristic != "itself")
    text += fmt::format(", {} {}, {}", ratio_words(*cost.to_heuristic), heuristic_policy, cost.verdict_to_heuristic);
  return text + "; " + cost.bits;
}

std::string headlines_markdown(const std::vector<Headline>& headlines) {
  std::string text = "# What determinism costs whole networks\n\n";
  if (headlines.empty()) return text + "No data: no train step and no inference was measured.\n";
  for (const auto& h : headlines) {
    text += fmt::format("- **{}**: {}\n", h.title(), sentence(h));
    for (const auto& cost : h.costs) text += fmt::format("  - {}\n", sentence(cost));
  }
  return text +
         "\nTimes are medians of the reporting half of the blocks, policies are picked by the other half; ratios are paired by block, with a 95 % "
         "interval. *Ambiguous* is a ratio whose interval meets the A/A band, the spread of one policy measured twice. \"No difference in n runs\" is an "
         "observation, not a promise.\n";
}

Table network_price_table(const std::vector<Headline>& headlines) {
  Table table{"network_prices",
              "Whole networks: what each policy costs against the fastest and against the library's own choice",
              {"file", "machine", "phase", "network", "size", "precision", "setting", "policy", "status", "median, ms", "minimum, ms", "samples",
               "to the fastest", "to the fastest, 95 % from", "to the fastest, 95 % to", "to the fastest, verdict", "to library_heuristic",
               "to library_heuristic, 95 % from", "to library_heuristic, 95 % to", "to library_heuristic, verdict", "A/A band from", "A/A band to", "bits",
               "reason", "replay"},
              {}};
  const auto interval = [](std::vector<Json>& cells, const std::optional<Interval>& ratio, const std::string& verdict) {
    cells.push_back(ratio ? Json(ratio->middle) : Json());
    cells.push_back(ratio ? Json(ratio->low) : Json());
    cells.push_back(ratio ? Json(ratio->high) : Json());
    cells.push_back(verdict);
  };
  for (const auto& h : headlines)
    for (const auto& cost : h.costs) {
      const auto& arm = *cost.arm;
      std::vector<Json> cells{h.view->tag, h.machine, h.phase, h.network, h.size, h.precision, h.setting, cost.policy, to_text(arm.record->status)};
      cells.push_back(arm.timed() ? Json(arm.time->median_s * ms) : Json());
      cells.push_back(arm.timed() ? Json(arm.time->minimum_s * ms) : Json());
      cells.push_back(arm.timed() ? Json(arm.time->used) : Json());
      interval(cells, cost.to_fastest, cost.verdict_to_fastest);
      interval(cells, cost.to_heuristic, cost.verdict_to_heuristic);
      const auto band = h.view->symmetric_band();
      cells.push_back(band ? Json(band->low) : Json());
      cells.push_back(band ? Json(band->high) : Json());
      cells.push_back(cost.bits);
      cells.push_back(arm.record->reason);
      cells.push_back(arm.record->replay);
      table.rows.push_back(std::move(cells));
    }
  return table;
}

}  // namespace detbench::analysis
