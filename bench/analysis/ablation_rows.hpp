// Rows of the chart randomness_ablation, and the same in words.
#pragma once

#include <string>
#include <vector>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

/// One row per source: group (file and network, where there are several), source, rank, relative_l2, churn, accuracy,
/// accuracy_low, accuracy_high (one standard deviation each way), distinct ("3 of 3 distinct, 5e-08"), note, words.
Json ablation_rows(const std::vector<ResultFile>& files);
/// One row per training: group, source, rank, replica, loss, accuracy, kernels, digest.
Json ablation_replica_rows(const std::vector<ResultFile>& files);
/// "weights alone: 3 of 3 trainings have other bits, ...".
std::string ablation_words(const AblationRow& row);
/// "small_residual, 28 px, procedural(...), 24 steps".
std::string ablation_title(const Ablation& ablation);

}  // namespace detbench::analysis
