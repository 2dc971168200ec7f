// The t3 tier of one engine: all its valid combinations of knobs, or a seeded draw from them.
#pragma once

#include <utility>
#include <vector>

#include "kernels/cudnn/search.hpp"

namespace detbench::cudnn {

/// `starts`: configurations of this engine to walk from, valid or not. The same seed, engine, graph and library give the same
/// draw.
std::pair<KnobSweep, std::vector<Configuration>> sweep_knobs(const Engine& engine, const AlgorithmSearch& how, const std::vector<Configuration>& starts);

}  // namespace detbench::cudnn
