// Charts: an embedded specification, the shared looks, and data injected by name. A chart without data says so.
#pragma once

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

struct Chart {
  std::string name;     ///< file name without ending: "reductions"
  std::string caption;  ///< how to read it, plain text
  bool has_data = true;
  Json spec;  ///< complete Vega-Lite: looks, title, provenance, data
};

/// Every chart of plots/, in the order of the report. Fails only when the embedded files are damaged.
Result<std::vector<Chart>> make_charts(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views);

}  // namespace detbench::analysis
