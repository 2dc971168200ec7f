// One file per verb: parses and prints, nothing else.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "kernels/result.hpp"

namespace detbench {

/// DESIGN section 2. When several apply, the lowest nonzero of 1, 2, 3 wins over 77.
enum ExitCode : int { exit_ok = 0, exit_wrong = 1, exit_usage = 2, exit_cannot_run = 3, exit_skipped = 77, exit_interrupted = 130 };

/// Adds a verb to the program and returns the function that runs it once the command line was parsed.
using Verb = std::function<int()>;
Verb add_env_verb(CLI::App& program);
Verb add_list_verb(CLI::App& program);
Verb add_run_verb(CLI::App& program);
Verb add_step_verb(CLI::App& program);
Verb add_report_verb(CLI::App& program);
Verb add_policy_verb(CLI::App& program);
Verb add_catalog_verb(CLI::App& program);
Verb add_verify_verb(CLI::App& program);
Verb add_worker_verb(CLI::App& program);

/// `list models`, a subcommand of `list`, and what runs it.
struct ListModels {
  CLI::App* app;
  Verb run;
};
ListModels add_list_models(CLI::App& list);

/// Prints "detbench: <text>" on stderr, in one line, and gives the exit code that fits the kind of reason.
int fail(const Reason& reason);

}  // namespace detbench
