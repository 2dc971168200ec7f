// What verbs share that measure: a progress line, an interrupt that lets the row finish, a folder named by the time.
#pragma once

#include <string>

#include "bench/suites/sweep_run.hpp"

namespace detbench {

/// run_sweep under a progress line; an interrupt (SIGINT, SIGTERM) ends it after the row in flight, a second one at once.
Result<RunOutcome> run_with_progress(RunSettings settings);

/// "results/local/20261120T213600Z"
std::string timestamp_folder();

}  // namespace detbench
