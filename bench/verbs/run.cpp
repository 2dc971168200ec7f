#include <fmt/format.h>

#include "bench/gbench/runner.hpp"
#include "bench/suites/sweep_run.hpp"
#include "bench/verbs/run_session.hpp"
#include "bench/verbs/summary.hpp"
#include "bench/verbs/verbs.hpp"

namespace detbench {
namespace {

struct RunOptions {
  std::vector<std::string> filter, imports;
  std::string profile = "quick", out, resume, selections, backend = "cpu", search, scopes;
  std::uint64_t seed = 1;
  int threads = 0;
  std::int64_t network_runs = 0;
  bool strict = false;
};

Result<RunSettings> settings_of(const RunOptions& options, const CLI::App& app, std::vector<std::string> extras) {
  RunSettings settings;
  std::vector<std::string> words = options.filter;
  for (auto& extra : extras) {
    if (extra.rfind("--benchmark_filter=", 0) == 0) {
      words.push_back(extra.substr(std::string("--benchmark_filter=").size()));
      continue;
    }
    if (extra.rfind("--benchmark_", 0) != 0) return invalid_input("'" + extra + "' is not an option of run; see 'detbench run --help'");
    if (auto good = check_benchmark_flag(extra); !good) return tl::unexpected(good.error());
    settings.benchmark_arguments.push_back(extra);
  }
  if (!options.resume.empty()) {
    for (const char* name : {"--profile", "--out", "--seed", "--threads", "--selections", "--backend", "--search", "--scopes", "--network-runs"})
      if (app.count(name) > 0) return invalid_input(std::string(name) + " and --resume exclude each other: a resumed run keeps its settings");
    if (!words.empty()) return invalid_input("a filter and --resume exclude each other: a resumed run keeps its settings");
    auto earlier = settings_of_earlier_run(options.resume);
    if (!earlier) return earlier;
    earlier->benchmark_arguments = settings.benchmark_arguments;
    earlier->imports.assign(options.imports.begin(), options.imports.end());
    return earlier;
  }
  auto profile = profile_of(options.profile, options.backend, options.search);
  if (!profile) return tl::unexpected(profile.error());
  settings.profile = *profile;
  auto scopes = parse_scopes(options.scopes);
  if (!scopes) return tl::unexpected(scopes.error());
  settings.scopes = *scopes;
  auto filter = Filter::parse(words);
  if (!filter) return tl::unexpected(filter.error());
  settings.filter = *filter;
  settings.seed = options.seed;
  settings.threads = options.threads;
  if (options.threads < 0 || options.threads > 1024) return invalid_input("--threads " + std::to_string(options.threads) + " is out of range: 1 to 1024, or 0 for every core");
  if (options.network_runs < 0 || options.network_runs > 1'000'000)
    return invalid_input("--network-runs " + std::to_string(options.network_runs) + " is out of range: 1 to 1000000, or 0 for the profile's");
  settings.network_runs = static_cast<std::uint32_t>(options.network_runs);
  if (options.backend == "cuda") {
    // Asked of a worker: this process never touches a device.
    SweepSettings ask;
    ask.worker_arguments = {"--backend", "cuda"};
    if (auto gpu = Sweep(ask, nullptr, {}).describe_gpu(); !gpu) return failure(gpu.error().text);
  }
  if (!options.selections.empty() && !std::filesystem::is_directory(options.selections))
    return invalid_input("'" + options.selections + "' is no folder of policy files: --selections takes the `policies` folder of a run");
  settings.backend = options.backend;
  settings.imports.assign(options.imports.begin(), options.imports.end());
  settings.selections = options.selections;
  settings.directory = options.out.empty() ? timestamp_folder() : options.out;
  return settings;
}

}  // namespace

Verb add_run_verb(CLI::App& program) {
  auto* app = program.add_subcommand("run", "measure speed and bitwise agreement; write a result file");
  app->footer(
      "FILTER is `key:glob` terms (suite op shape dtype layout model layer provider algorithm), or a case or problem id.\n"
      "Examples: detbench run --profile smoke --out results/local/first\n"
      "          detbench run 'op:conv_wgrad layer:block_1_* provider:onednn'\n"
      "          detbench run conv_fwd/mb8_g1_ic3_ih28_iw28_oc16_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1/f32_f32_strict/nhwc");
  auto options = std::make_shared<RunOptions>();
  app->add_option("FILTER", options->filter, "what to measure; everything of the profile by default");
  app->add_option("--profile", options->profile, "smoke, quick, standard or full")->capture_default_str();
  app->add_option("--out", options->out, "folder for result.json, journal and policies (default results/local/<time>)");
  app->add_option("--resume", options->resume, "continue the interrupted run in this folder");
  app->add_option("--import", options->imports, "take over what the run in this folder measured with the same settings; can be repeated")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--seed", options->seed, "of inputs, schedules and stressors")->capture_default_str();
  app->add_option("--threads", options->threads, "CPU threads of the baseline; 0: every core")->capture_default_str();
  app->add_option("--backend", options->backend, "cpu or cuda")->capture_default_str();
  app->add_option("--search", options->search, "tiers of GPU libraries' configurations: t0,t1,t2,t3 or all (default: the profile's)");
  app->add_option("--scopes", options->scopes, "measure agreement in these alone: repeat,process,load,placement,partition,capture,batch");
  app->add_option("--network-runs", options->network_runs, "of train steps and inference: runs compared in repeat and under each stressor of load; 0: the profile's")->capture_default_str();
  app->add_option("--selections", options->selections, "policy files for train steps, instead of those made from this run");
  app->add_flag("--strict", options->strict, "exit with 1 when a claim was broken");
  app->allow_extras();
  return [options, app]() -> int {
    auto settings = settings_of(*options, *app, app->remaining());
    if (!settings) return fail(settings.error());
    auto outcome = run_with_progress(*settings);
    if (!outcome) return fail(outcome.error());
    print_summary(outcome->result);
    fmt::print("result: {}\n", outcome->file.string());
    if (outcome->interrupted) {
      fmt::print("interrupted: every finished row is kept; continue with: detbench run --resume {}\n", shell_quote(settings->directory.string()));
      return exit_interrupted;
    }
    return exit_code(outcome->result, options->strict);
  };
}

}  // namespace detbench
