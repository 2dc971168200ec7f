// Rows of the chart divergence_growth, and the same in words.
#pragma once

#include <string>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench::analysis {

/// One row per pair and compared step that differs: question, rank, step, share (V_c), max_ulp, l2, relative_l2, loss_difference,
/// churn.
Json divergence_rows(const std::vector<ResultFile>& files);
/// One row per pair: question, rank, words, note.
Json divergence_word_rows(const std::vector<ResultFile>& files);
/// "no difference in 8 steps", or when and at which op two runs part and how far they are apart at the end.
std::string divergence_words(const Divergence& divergence);

}  // namespace detbench::analysis
