// detbench policy choose|show|measure: algorithms from a result file under a demand and a budget, a look at a policy file, and
// the train step with it.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "bench/core/statistics.hpp"
#include "bench/policy/framework_switches.hpp"
#include "bench/policy/picks.hpp"
#include "bench/verbs/run_session.hpp"
#include "bench/verbs/summary.hpp"
#include "bench/verbs/verbs.hpp"

namespace detbench {
namespace {

struct ChooseOptions {
  std::string result, policy, demand, budget, out;
  bool claimed = false, partial = false, force = false;
};

/// --policy NAME, or the same said with --demand, --claimed and --budget.
Result<Policy> wanted_policy(const ChooseOptions& o) {
  if (!o.policy.empty()) {
    if (!o.demand.empty() || !o.budget.empty() || o.claimed) return invalid_input("--policy already says what is wanted: leave out --demand, --budget and --claimed");
    return parse_policy(o.policy);
  }
  if (o.demand.empty()) {
    if (o.claimed) return invalid_input("--claimed needs a --demand: run_to_run, partition or batch");
    return parse_policy(o.budget.empty() ? "fastest" : "budget:" + o.budget);
  }
  auto demand = parse_demand(o.demand);
  if (!demand) return tl::unexpected(demand.error());
  if (demand->scopes.empty()) return o.budget.empty() && !o.claimed ? parse_policy("fastest") : Result<Policy>(invalid_input("--demand none and --budget or --claimed exclude each other: there is nothing to buy"));
  if (o.claimed && !o.budget.empty()) return invalid_input("--claimed and --budget exclude each other: a budget buys what was observed");
  if (!o.budget.empty()) return parse_policy("budget:" + o.budget + (o.demand == "partition" ? "" : ":" + o.demand));
  return parse_policy((o.claimed ? "fastest_claimed:" : "fastest_observed:") + o.demand);
}

std::map<std::string, std::string> target_of(const ResultFile& result) {
  std::map<std::string, std::string> target;
  const auto text = [](const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  if (const auto libraries = result.manifest.find("libraries"); libraries != result.manifest.end() && libraries->is_object())
    for (const auto& [name, version] : libraries->items()) target[name] = text(version);
  target["backend"] = result.backend;
  if (const auto threads = result.manifest.find("threads"); threads != result.manifest.end()) target["threads"] = text(*threads);
  return target;
}

/// What the run itself found when it probed its picks again holds here too.
std::vector<Strike> strikes_of(const ResultFile& result) {
  std::vector<Strike> struck;
  for (const auto& policy : result.policies)
    for (const auto& pick : policy.struck) struck.push_back({pick.id, parse_scope(pick.scope), pick.reason});
  return struck;
}

int choose(const ChooseOptions& options) {
  auto policy = wanted_policy(options);
  if (!policy) return fail(policy.error());
  auto result = read_result_file(options.result);
  if (!result) return fail(result.error());
  const Choices choices(result->comparisons, result->records);
  if (choices.problems() == 0)
    return fail({"'" + options.result + "' holds no timed layer of a network to choose from: run the sweep without a filter, or with suite:convolution and its like", Reason::Kind::invalid_input});
  auto candidate = choices.choose(*policy, strikes_of(*result));
  if (!candidate.unmet.empty() && !options.partial)
    return fail({"policy '" + policy->name + "' cannot be met by " + std::to_string(candidate.unmet.size()) + " problems of '" + options.result + "', the first is " + candidate.unmet.front() +
                     ": take another demand, or --partial to leave these to the library's heuristics",
                 Reason::Kind::unsupported});
  if (candidate.selection.rules() == 0)
    return fail({"policy '" + policy->name + "' is met by no problem of '" + options.result + "': there is nothing to write", Reason::Kind::unsupported});
  candidate.selection.target = target_of(*result);
  const auto file = options.out.empty() ? policy_file_name(policy->name) : options.out;
  if (auto written = write_whole_file(file, write_selection(candidate.selection), options.force); !written) return fail(written.error());
  fmt::print("{}: {}\n", policy->name, policy->meaning());
  fmt::print("  {} problems, {} layers, of which {} meet the demand '{}'; activations in {}\n", candidate.picks.size(), candidate.layers, candidate.layers_met,
             policy->demand.name, candidate.selection.activation_layout);
  const double more = candidate.fastest_s > 0 ? candidate.total_s / candidate.fastest_s - 1 : 0;
  fmt::print("  its layers alone take {:.4g} ms, {:+.1f} % against the fastest arms: sums of the half that chooses, no price of a step\n", candidate.total_s * 1e3, more * 100);
  for (const auto& problem : candidate.unmet) fmt::print("  left to the library's heuristics: {}\n", problem);
  fmt::print("policy: {}\nthe step with it: detbench policy measure {}\n", file, shell_quote(file));
  return exit_ok;
}

int show(const std::string& file, const std::string& framework) {
  auto selection = read_selection_file(file);
  if (!selection) return fail(selection.error());
  if (!framework.empty()) {
    auto switches = switches_for(framework, *selection);
    if (!switches) return fail(switches.error());
    fmt::print("# {} under the policy '{}' ({})\n", switches->framework, selection->name, file);
    fmt::print("# {}\n", switches->exact_for_convolutions ? "for convolutions these switches do exactly what the file says" : "the nearest switches; they do not do what the file says");
    for (const auto& line : switches->environment) fmt::print("export {}\n", line);
    for (const auto& line : switches->code) fmt::print("{}\n", line);
    for (const auto& line : switches->limits) fmt::print("# cannot: {}\n", line);
    return exit_ok;
  }
  fmt::print("{}, demand {}, activations in {}\n", selection->name, selection->demand, selection->activation_layout);
  for (const auto& [what, version] : selection->target) fmt::print("  measured with {} {}\n", what, version);
  std::map<std::string, std::size_t> counts;
  std::size_t op_width = 2, shape_width = 5, types_width = 5;
  for (const auto& [key, rule] : selection->all_rules()) {
    op_width = std::max(op_width, std::get<0>(key).size());
    shape_width = std::max(shape_width, std::get<1>(key).size());
    types_width = std::max(types_width, std::get<2>(key).size());
    ++counts[rule.algorithm.provider];
  }
  for (const auto& [op, rule] : selection->defaults()) op_width = std::max(op_width, op.size());
  const auto row = [&](const std::string& op, const std::string& shape, const std::string& types, const std::string& layout, const std::string& algorithm) {
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {:<8}  {}\n", op, op_width, shape, shape_width, types, types_width, layout, algorithm);
  };
  row("op", "shape", "types", "layout", "algorithm");
  for (const auto& [key, rule] : selection->all_rules()) row(std::get<0>(key), std::get<1>(key), std::get<2>(key), rule.layout, algorithm_id(rule.algorithm));
  for (const auto& [op, rule] : selection->defaults()) row(op, "any other", "any", rule.layout, algorithm_id(rule.algorithm));
  std::string by_provider;
  for (const auto& [provider, count] : counts) by_provider += fmt::format("{}{} {}", by_provider.empty() ? "" : ", ", count, provider);
  fmt::print("{} rules ({}), {} defaults\n", selection->rules(), by_provider.empty() ? "none" : by_provider, selection->defaults().size());
  return exit_ok;
}

struct MeasureOptions {
  std::vector<std::string> files;
  std::string step, profile = "quick", backend = "cpu", out;
  std::uint64_t seed = 1;
  int threads = 0;
  bool only = false;
};

/// The step's policies as rows, by time; figures from the reporting half of the blocks.
void print_steps(const ResultFile& result) {
  for (const auto& comparison : result.comparisons) {
    if (comparison.suite != "train_step") continue;
    fmt::print("{}\n", comparison.problem);
    struct Row {
      const Record* record;
      std::optional<TimeSummary> time;
    };
    std::vector<Row> rows;
    for (const auto& record : result.records)
      if (record.id.starts_with(comparison.problem + "/"))
        rows.push_back({&record, record.timing ? summarize(record.timing->samples, Half::reporting, comparison.blocks, comparison.schedule_seed) : std::nullopt});
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      if (a.time.has_value() != b.time.has_value()) return a.time.has_value();
      return a.time && a.time->median_s < b.time->median_s;
    });
    for (const auto& row : rows) {
      const auto policy = row.record->id.substr(comparison.problem.size() + 1);
      if (!row.time) {
        fmt::print("  {:<50} {}: {}\n", policy, to_text(row.record->status), row.record->reason.empty() ? "not timed" : row.record->reason);
        continue;
      }
      std::string differs;
      for (const auto& scope : row.record->agreement)
        if (scope.verdict == ScopeVerdict::differs || scope.verdict == ScopeVerdict::already_differs) differs += (differs.empty() ? "" : ", ") + std::string(to_text(scope.scope));
      fmt::print("  {:<50} {:9.3f} ms  {}\n", policy, row.time->median_s * 1e3, differs.empty() ? "no difference seen" : "differs in " + differs);
    }
  }
}

int measure(const MeasureOptions& options) {
  RunSettings settings;
  auto profile = profile_of(options.profile, options.backend, "");
  if (!profile) return fail(profile.error());
  settings.profile = *profile;
  if (options.threads < 0 || options.threads > 1024) return fail({"--threads " + std::to_string(options.threads) + " is out of range: 1 to 1024, or 0 for every core", Reason::Kind::invalid_input});
  std::vector<Selection> selections;
  for (const auto& file : options.files) {
    auto selection = read_selection_file(file);
    if (!selection) return fail(selection.error());
    for (const auto& other : selections)
      if (other.name == selection->name) return fail({"'" + file + "' is a second policy of the name '" + selection->name + "': give each file another \"name\"", Reason::Kind::invalid_input});
    const auto backend = selection->target.find("backend");
    if (backend != selection->target.end() && backend->second != options.backend)
      return fail({"'" + file + "' was measured on the backend " + backend->second + ", and --backend is " + options.backend, Reason::Kind::invalid_input});
    // The name becomes part of case names.
    const auto id = "op/s/t/l/network:" + selection->name;
    if (auto name = parse_case_id(id); !name || name->algorithm.name != selection->name)
      return fail({"'" + file + "': its name '" + selection->name.substr(0, 60) + "' cannot stand in a case name: letters, digits and _:.+-% can", Reason::Kind::invalid_input});
    selections.push_back(std::move(*selection));
  }
  std::vector<std::string> words{options.step.empty() ? "suite:train_step" : options.step};
  if (options.step.empty() && options.only && selections.size() == 1) words.push_back("algorithm:" + selections.front().name);
  auto filter = Filter::parse(words);
  if (!filter) return fail(filter.error());
  if (!options.step.empty() && !filter->problem())
    return fail({"--step '" + options.step.substr(0, 100) + "' is no problem id: it should read like train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc", Reason::Kind::invalid_input});
  settings.filter = *filter;
  settings.seed = options.seed, settings.threads = options.threads, settings.backend = options.backend;
  settings.directory = options.out.empty() ? timestamp_folder() : options.out;
  if (std::filesystem::exists(settings.directory / "result.json") || std::filesystem::exists(settings.directory / "policies"))
    return fail({"'" + settings.directory.string() + "' already holds a run: give --out another folder", Reason::Kind::invalid_input});
  settings.selections = settings.directory / "policies";
  if (auto written = write_policies(selections, settings.selections); !written) return fail(written.error());
  auto outcome = run_with_progress(settings);
  if (!outcome) return fail(outcome.error());
  print_steps(outcome->result);
  fmt::print("result: {}\n", outcome->file.string());
  return outcome->interrupted ? exit_interrupted : exit_code(outcome->result, false);
}

}  // namespace

Verb add_policy_verb(CLI::App& program) {
  auto* app = program.add_subcommand("policy", "choose algorithms under a demand and a budget; show them; run the train step with them");
  app->require_subcommand(1);
  app->footer(
      "Examples: detbench policy choose results/local/first --demand run_to_run --out repeat.json\n"
      "          detbench policy show repeat.json --for pytorch\n"
      "          detbench policy measure repeat.json --profile quick");

  auto chosen = std::make_shared<ChooseOptions>();
  auto* choose_app = app->add_subcommand("choose", "make a policy file from a result file");
  choose_app->footer(
      "Examples: detbench policy choose results/local/first --demand partition\n"
      "          detbench policy choose results/local/first --demand run_to_run --budget 5% --out five_percent.json");
  choose_app->add_option("RESULT", chosen->result, "a result file, or the folder that holds result.json")->required();
  choose_app->add_option("--policy", chosen->policy, "fastest, fastest_observed:DEMAND, fastest_claimed:DEMAND or budget:X%[:DEMAND]");
  choose_app->add_option("--demand", chosen->demand, "none, run_to_run, partition or batch");
  choose_app->add_option("--budget", chosen->budget, "like 5%: what the demand may cost over the fastest arms");
  choose_app->add_flag("--claimed", chosen->claimed, "go by what the vendor claims, not by what was observed");
  choose_app->add_flag("--partial", chosen->partial, "leave problems that nothing meets to the library's heuristics");
  choose_app->add_option("--out", chosen->out, "file to write (default: the policy's name with .json)");
  choose_app->add_flag("--force", chosen->force, "replace that file");

  auto file = std::make_shared<std::string>(), framework = std::make_shared<std::string>();
  auto* show_app = app->add_subcommand("show", "a policy file as a table, or as a framework's switches");
  show_app->footer("Examples: detbench policy show repeat.json\n          detbench policy show repeat.json --for tensorflow");
  show_app->add_option("FILE", *file, "a policy file")->required();
  show_app->add_option("--for", *framework, "pytorch, tensorflow or jax: its nearest switches, and what they cannot express");

  auto measured = std::make_shared<MeasureOptions>();
  auto* measure_app = app->add_subcommand("measure", "run the train step with policy files, beside the policies that need none");
  measure_app->footer(
      "Examples: detbench policy measure repeat.json --profile smoke --out results/local/repeat\n"
      "          detbench policy measure a.json b.json --step train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc");
  measure_app->add_option("FILE", measured->files, "policy files")->required();
  measure_app->add_option("--step", measured->step, "problem id of the train step (default: those of the profile)");
  measure_app->add_option("--profile", measured->profile, "smoke, quick, standard or full")->capture_default_str();
  measure_app->add_option("--backend", measured->backend, "cpu or cuda")->capture_default_str();
  measure_app->add_option("--out", measured->out, "folder for the result (default results/local/<time>)");
  measure_app->add_option("--seed", measured->seed, "of inputs, schedules and stressors")->capture_default_str();
  measure_app->add_option("--threads", measured->threads, "CPU threads; 0: every core")->capture_default_str();
  measure_app->add_flag("--only", measured->only, "one file alone, without the policies beside it");
  return [=]() -> int {
    if (choose_app->parsed()) return choose(*chosen);
    if (show_app->parsed()) return show(*file, *framework);
    return measure(*measured);
  };
}

}  // namespace detbench
