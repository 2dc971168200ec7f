// Calls that may crash, hang or print, each made in a child process: cuDNN can die while it enumerates. Several children
// work side by side; one that dies takes only the task in its hands with it, and another goes on with the rest.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench::catalog {

struct IsolatedOutcome {
  /// `garbled`: the child wrote something else than an answer; `stopped`: nobody asked it, because of an interrupt.
  enum class End { answered, crashed, timed_out, garbled, stopped };
  End end = End::stopped;
  Json answer;              ///< null unless answered
  std::string reason;       ///< one line unless answered: "died of signal 11 (Segmentation fault)"
  std::string last_step;    ///< what the task had announced last before it ended; empty: nothing
};

/// Tells the parent what comes next, so that it knows where a child died.
using Announce = std::function<void(const std::string& step)>;
/// Runs in the child, for one task. What it prints goes nowhere; an exception is an end of kind `crashed`.
using IsolatedTask = std::function<Json(std::size_t index, const Announce& announce)>;

struct IsolationSettings {
  int jobs = 1;              ///< children at once
  double timeout_s = 120;    ///< for one task
  std::function<void(std::size_t done, std::size_t total)> progress;
  const volatile std::sig_atomic_t* interrupted = nullptr;  ///< nonzero: no new task, children are ended
};

/// Outcomes in the order of the tasks. Forks: no other thread may run, and the libraries that tasks use should not be
/// initialized yet. The reason when not even one child could be started.
Result<std::vector<IsolatedOutcome>> run_isolated(std::size_t tasks, const IsolatedTask& task, const IsolationSettings& settings);

}  // namespace detbench::catalog
