// What the parent knows about a comparison and its arms while a sweep runs. Private to bench/workers.
#pragma once

#include "bench/workers/sweep.hpp"

namespace detbench {

struct Sweep::Arm {
  Algorithm algorithm;
  std::string id;                          ///< algorithm id
  std::optional<Reason> unsupported;
  std::map<std::string, std::string> notes;  ///< of the offer
  RunStatus status = RunStatus::skipped;
  std::string reason;
  std::optional<ProbeReply> reply;
  std::vector<std::string> process_digests;  ///< one per fresh process
  std::string process_failure;
  std::map<std::string, int> process_selections;  ///< what a picking arm picked, with how many processes did so
  std::optional<Timing> timing;

  bool alive() const { return status == RunStatus::ok; }
};

struct Sweep::Comparison {
  PlannedComparison planned;
  std::string id;                          ///< problem id
  ComparisonInfo info;
  std::vector<Arm> arms;
  bool listed = false;

  double best_first_run_s() const;
  bool is_slow(const Arm& arm) const;
};

/// An arm is slow when its first run takes over 20 times the best of its comparison; below 2 ms it is cheap enough to
/// be measured in full anyway.
inline constexpr double slow_factor = 20;
inline constexpr double slow_floor_s = 2e-3;

}  // namespace detbench
