// One whole run: controls, sweep, policies, train steps, result file. What `detbench run` does once its options are
// read.
#pragma once

#include "bench/suites/suites.hpp"

namespace detbench {

struct RunSettings {
  Profile profile;
  Filter filter;
  std::uint64_t seed = 1;
  int threads = 0;                          ///< 0: every core this process may use
  std::string backend = "cpu";
  std::vector<Scope> scopes;                ///< the only ones that are measured; empty: all
  /// n of `repeat` and of each stressor of `load` for train steps and inference, which take a thousand times as long as
  /// the layers beside them; 0: the profile's.
  std::uint32_t network_runs = 0;
  std::filesystem::path directory;
  std::filesystem::path selections;         ///< policy files given by the user; empty: made from this run's records
  bool resume = false;
  /// Folders of other runs whose rows are taken over instead of being measured again. They must have been made with the
  /// same settings, the filter and the policy files excepted, and on this machine; where two hold the same piece, the first counts.
  std::vector<std::filesystem::path> imports;
  std::vector<std::string> benchmark_arguments;
  std::function<void(const Progress&)> progress;
  const volatile std::sig_atomic_t* interrupted = nullptr;
};

struct RunOutcome {
  ResultFile result;
  std::filesystem::path file;
  bool interrupted = false;
};

/// Settings of the run whose journal is in `directory`, for --resume. A folder without one is refused.
Result<RunSettings> settings_of_earlier_run(const std::filesystem::path& directory);

/// Fails with invalid_input when nothing matches the filter or the folder holds an earlier run.
Result<RunOutcome> run_sweep(const RunSettings& settings);

/// The shell-quoted command that measures a row again.
std::string replay_command(const std::string& id, const RunSettings& settings);
/// A word as a shell reads it back.
std::string shell_quote(const std::string& word);

}  // namespace detbench
