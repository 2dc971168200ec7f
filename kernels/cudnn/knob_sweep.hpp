// The t3 tier of one engine: all its valid combinations of knobs, or a seeded draw from them.
//
// Of the combinations of a tensor-core engine 2 in 10,000 are valid, so drawing and rejecting finds next to nothing. But the
// library also judges a configuration that leaves knobs to it, and says yes when it finds values for the rest: setting one
// knob after the other and going on only from what it accepts reaches the valid combinations in thousands of questions
// instead of millions (every one of them, where that was held against trying all: 16 engines, up to 110,592 combinations).
#pragma once

#include <utility>
#include <vector>

#include "kernels/cudnn/search.hpp"

namespace detbench::cudnn {

/// The same seed, engine, graph and library give the same draw.
std::pair<KnobSweep, std::vector<Configuration>> sweep_knobs(const Engine& engine, const AlgorithmSearch& how);

}  // namespace detbench::cudnn
