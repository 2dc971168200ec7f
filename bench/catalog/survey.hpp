// Makes a catalog: every problem is asked in a child process, several at once; one over which cuDNN dies or hangs is
// recorded so, and the rest goes on.
#pragma once

#include "bench/catalog/ask.hpp"
#include "bench/catalog/isolated.hpp"

namespace detbench::catalog {

struct SurveyResult {
  Catalog catalog;
  bool interrupted = false;
};

/// What is asked in the children; the functions of ask.hpp, replaced in tests.
struct Oracle {
  std::function<Result<TargetFacts>(const std::string& arch)> describe = describe_target;
  std::function<Result<Entry>(const Problem&, const std::string& arch, const SkippedSteps&, const Announce&)> ask = catalog::ask;
};

/// `entries` as pose() gives them, `source` as source_of(). When a child dies or hangs while it asks for one engine or
/// heuristic, the problem is asked again without that step, a few times. Unsupported: no cuDNN in this build or machine.
Result<SurveyResult> survey(std::vector<Entry> entries, const std::string& arch, const std::string& source, const IsolationSettings& settings,
                            const Oracle& oracle = {});

}  // namespace detbench::catalog
