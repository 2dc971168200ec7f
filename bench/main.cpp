// detbench: what do reproducible bits cost? The verbs are in bench/verbs.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "bench/records/manifest.hpp"
#include "bench/verbs/verbs.hpp"
#include "kernels/tensor/instruction_cap.hpp"

int main(int argc, char** argv) {
  CLI::App program{"detbench: what do reproducible bits cost? Speed and bitwise agreement of the same computation done in different ways."};
  program.set_version_flag("--version", "detbench " + detbench::program_version());
  program.require_subcommand(1);
  program.failure_message([](const CLI::App* app, const CLI::Error& error) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return "detbench: " + text + "; see '" + app->get_name() + (app->get_name().empty() ? "detbench" : "") + " --help'\n";
  });
  const std::vector<std::pair<std::string, detbench::Verb>> verbs{
      {"env", detbench::add_env_verb(program)},       {"list", detbench::add_list_verb(program)},
      {"run", detbench::add_run_verb(program)},
      {"step", detbench::add_step_verb(program)},     {"report", detbench::add_report_verb(program)},       
      {"policy", detbench::add_policy_verb(program)}, {"catalog", detbench::add_catalog_verb(program)},
      {"verify", detbench::add_verify_verb(program)}, {"worker", detbench::add_worker_verb(program)}};
  if (argc > 1 && argv[1][0] != '-' &&
      std::none_of(verbs.begin(), verbs.end(), [&](const auto& verb) { return verb.first == argv[1]; })) {
    std::cerr << "detbench: '" << argv[1] << "' is no verb: env, list, run, step, report, policy, catalog and verify are; see 'detbench --help'\n";
    return detbench::exit_usage;
  }
  if (!detbench::instruction_cap_is_readable()) {
    std::cerr << "detbench: DETBENCH_ISA='" << std::string(std::getenv("DETBENCH_ISA")).substr(0, 60) << "' is no instruction set: baseline, avx2 and avx512 are\n";
    return detbench::exit_usage;
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? detbench::exit_ok : detbench::exit_usage;
  }
  for (const auto& [name, verb] : verbs)
    if (program.got_subcommand(name)) return verb();
  return detbench::exit_usage;
}
