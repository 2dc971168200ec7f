// Recomputes on this CPU what result files say is the same on every machine, wherever they were made (METHOD section 10).
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "bench/records/record.hpp"
#include "bench/suites/filter.hpp"
#include "bench/workers/sweep.hpp"

namespace detbench {

inline constexpr int verification_schema_version = 1;

/// Under what a row is recomputed; the bits must not depend on it.
struct RecomputeConfiguration {
  int threads = 0;  ///< 0: every core
  std::string isa;  ///< baseline, avx2 or avx512 at most; empty: whatever the processor has
};
/// "threads=2,isa=avx2", "all cores".
std::string describe(const RecomputeConfiguration& configuration);

/// What came of a row under one configuration.
struct Recomputation {
  RecomputeConfiguration configuration;
  std::string inputs, outputs;  ///< digests; empty when there are none
  double elapsed_s = 0;
  std::string reason;  ///< one line when it could not be recomputed
};

enum class RowOutcome { match, differs, not_recomputed, not_reached };

/// One row that claims to be the same everywhere.
struct VerifiedRow {
  std::size_t file = 0;  ///< index
  std::string id;
  std::string claim;  ///< its source
  RowOutcome outcome = RowOutcome::not_reached;
  std::string reason;  ///< one line unless it matches
  std::string recorded_inputs, recorded_outputs;
  std::vector<Recomputation> runs;
};

struct VerifiedFile {
  std::string path, detbench_version, commit, created_utc, backend;
  std::size_t rows = 0, claiming = 0;
};

struct VerificationReport {
  std::vector<VerifiedFile> files;
  std::vector<VerifiedRow> rows;  ///< in the order of the work: cheap ones first
  std::vector<RecomputeConfiguration> configurations;
  double elapsed_s = 0;
  bool interrupted = false;
  std::size_t count(RowOutcome outcome) const;
};

struct VerificationSettings {
  std::vector<RecomputeConfiguration> configurations{{}};
  double limit_s = 0;  ///< rows that are not done by then stay not_reached; 0: no limit
  std::function<void(const VerifiedRow&)> done;         ///< each row as it is finished
  std::function<void(const Progress&)> progress;
  const volatile std::sig_atomic_t* interrupted = nullptr;
};

/// The rows of `files` (with the paths they came from) that claim gpu_to_gpu over scope machine, have a digest and pass
/// the filter, recomputed by worker processes of this program. What cannot be recomputed is a row with its reason. An
/// error: no worker can be started.
Result<VerificationReport> verify_results(const std::vector<ResultFile>& files, const std::vector<std::string>& paths,
                                          const Filter& filter, const Registry& registry, const VerificationSettings& settings);

/// "0,2,3" and "baseline,avx2": every thread count with every instruction set; empty texts: the machine's own. Refuses
/// what is no number from 0 to 1024 (0: every core), and instruction sets that are none or that this processor lacks.
Result<std::vector<RecomputeConfiguration>> parse_configurations(const std::string& threads, const std::string& isas);

Json to_json(const VerificationReport& report);
std::string_view to_text(RowOutcome outcome);

}  // namespace detbench
