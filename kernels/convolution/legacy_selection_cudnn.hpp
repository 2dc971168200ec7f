// Letting cuDNN choose: what an arm like pick:find_ex stands for on this machine at this moment.
#pragma once

#include <map>
#include <string>

#include "kernels/convolution/legacy_calls_cudnn.hpp"
#include "kernels/convolution/pad.hpp"
#include "kernels/device/device.hpp"

namespace detbench::legacy {

struct Selection {
  int algorithm = 0;
  Math math = Math::default_math;
  std::size_t workspace_bytes = 0;
  /// selected, selected_determinism (what the perf struct says), selected_documented (what the guide says), selected_time_s (what
  /// Find measured), selected_workspace_bytes, selection_ranking (the first rows with their times: how close it was),
  /// selection_rows, and the circumstances that a choice by time or by memory can depend on: selection_free_memory_bytes,
  /// selection_total_memory_bytes, selection_load_average, selection_workspace_bytes. Compared over processes they tell how
  /// stable the selection is.
  std::map<std::string, std::string> notes;
};

/// Asks the heuristics (get_v7), or runs every algorithm on memory of its own, filled like a sweep's inputs (find_ex).
/// `form` is the problem as the library sees it. Synchronizes.
Result<Selection> select(const SymmetricForm& form, const Arm& arm, Calls& calls, int compute_major, Device& device);

}  // namespace detbench::legacy
