// The report of one or several result files (DESIGN section 7): one self-contained page, tables, charts.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench {

struct ReportOptions {
  std::filesystem::path out;  ///< folder to make; it appears whole or not at all
  bool force = false;         ///< replace an earlier report; a folder that holds anything else is refused
  bool images = true;         ///< SVG, PNG and PDF besides the page, where the Python environment is there
  /// The project's Python environment (bin/python with vl-convert, share/detbench/vega.bundle.js). nullopt: the one of
  /// the source tree this was built from, or .venv beside the program or above it.
  std::optional<std::filesystem::path> venv;
};

struct ReportOutcome {
  std::filesystem::path page;      ///< OUT/report.html
  std::vector<std::string> notes;  ///< what is missing, each with its remedy; one line each
};

/// Writes OUT/report.html, OUT/tables/*.{md,csv}, OUT/charts/*.vl.json and, with vl-convert, *.{svg,png,pdf}. Works for
/// any valid result files: without records of a kind, interrupted, of several machines.
Result<ReportOutcome> write_report(const std::vector<ResultFile>& files, const ReportOptions& options);

}  // namespace detbench
