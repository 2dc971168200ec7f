// The self-contained HTML page of a report: everything inline, no network.
#pragma once

#include <string>

#include "bench/analysis/charts.hpp"
#include "bench/analysis/claim_audit.hpp"
#include "bench/analysis/findings.hpp"
#include "bench/analysis/headlines.hpp"
#include "bench/analysis/tables.hpp"

namespace detbench::analysis {

struct Page {
  std::vector<Finding> findings;
  std::vector<Headline> headlines;  ///< of whole networks; the findings begin with their sentences
  std::vector<AuditRow> audit;
  std::vector<Chart> charts;
  std::vector<Table> tables;
  std::vector<std::string> provenance;
  std::string vega_bundle;  ///< empty: tables only, and a line that says how to get charts
  Json manifests;           ///< by tag
};
std::string to_html(const Page& page);
std::string escape_html(const std::string& text);

}  // namespace detbench::analysis
