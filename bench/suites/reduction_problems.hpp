// The reductions that a profile sweeps: sums, dots, segmented sums, scatter-adds, histograms, gradients of resizing. What
// memory gives, their ceiling, is in ceiling_problems.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/problem.hpp"

namespace detbench {

/// How much of it. Every level poses a sum whose bits can differ and one that atomics cannot show anything in.
enum class ReductionSweep { smoke, quick, standard, full };

/// The problems of one level, none twice. A GPU needs larger ones to be busy; a CPU has 2^26 floats, 256 MiB, well beyond any
/// last-level cache.
std::vector<Problem> reduction_problems(ReductionSweep sweep, const std::string& backend);

}  // namespace detbench
