// What cuDNN's heuristics propose for a graph.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/cudnn/configuration.hpp"

namespace detbench::cudnn {

enum class HeuristicMode { instant, b, fallback, a };
inline constexpr HeuristicMode all_heuristic_modes[] = {HeuristicMode::a, HeuristicMode::b, HeuristicMode::fallback, HeuristicMode::instant};
std::string_view to_text(HeuristicMode mode);  ///< "A", "B", "FALLBACK", "INSTANT"

/// Ranked, best first; empty where the library proposes nothing, which it does silently at alignments below 16.
/// `sm_count_target` 0: the attribute is not set.
Result<std::vector<Configuration>> propose(const OperationGraph& graph, const Target& target, HeuristicMode mode, int sm_count_target = 0);

}  // namespace detbench::cudnn
