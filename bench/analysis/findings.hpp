// What was found, in sentences: the top of a report.
#pragma once

#include <string>
#include <vector>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

struct Finding {
  std::string text;
  bool alarm = false;  ///< a wrong result, a broken claim, an uncaught control, an interruption
};
/// Those of one file's reductions; `who` stands before each.
void reductions_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings);

std::vector<Finding> find_findings(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views);

}  // namespace detbench::analysis
