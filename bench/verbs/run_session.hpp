// What verbs share that measure: a progress line, an interrupt that lets the row finish, a folder named by the time.
#pragma once

#include <csignal>
#include <string>

#include "bench/suites/sweep_run.hpp"

namespace detbench {

/// A progress line on stderr: rewritten in place on a terminal, one line every ten seconds elsewhere.
class ProgressLine {
 public:
  void show(const Progress& progress);
  void end() const;

 private:
  std::string phase_;
  double phase_begun_s_ = 0, last_s_ = -1e9;
};

/// From here on an interrupt (SIGINT, SIGTERM) sets what is pointed to; a second one ends the program at once.
const volatile std::sig_atomic_t* watch_interrupts();

/// run_sweep under a progress line; an interrupt (SIGINT, SIGTERM) ends it after the row in flight, a second one at once.
Result<RunOutcome> run_with_progress(RunSettings settings);

/// "results/local/20261120T213600Z"
std::string timestamp_folder();

}  // namespace detbench
