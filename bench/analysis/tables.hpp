// Tables as data, and their two written forms. Markdown rounds, CSV keeps every digit.
#pragma once

#include <string>
#include <vector>

#include "bench/analysis/comparison_view.hpp"

namespace detbench::analysis {

struct Table {
  std::string name;  ///< file name without ending
  std::string title;
  std::vector<std::string> columns;     ///< with units
  std::vector<std::vector<Json>> rows;  ///< strings, numbers, or null for unknown
};

/// Every row of every file: status, claim, what was observed per scope, error, times, reason, replay command.
Table results_table(const std::vector<ComparisonView>& views);
Table price_table(const std::vector<ComparisonView>& views);
Table reduction_table(const std::vector<ComparisonView>& views);
Table reduction_speed_table(const std::vector<ComparisonView>& views);
Table speed_target_table(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files);
Table contention_table(const std::vector<ComparisonView>& views);
Table worst_case_table(const std::vector<ComparisonView>& views);
Table ceiling_table(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files);
/// Every timed arm that counts operations, under the roofs of its file.
Table roofline_table(const std::vector<ComparisonView>& views);
Table train_step_table(const std::vector<ComparisonView>& views);
/// How the policies were chosen and what became of their picks; and train steps side by side, a row per compared step.
Table policy_table(const std::vector<ResultFile>& files);
Table divergence_table(const std::vector<ResultFile>& files);
/// What each source of randomness does by itself.
Table ablation_table(const std::vector<ResultFile>& files);
Table control_table(const std::vector<ResultFile>& files);
/// The tables of a report, in its order; those without rows are there too.
std::vector<Table> make_tables(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views);

/// One cell for people: numbers in 4 digits, null as "".
std::string cell_text(const Json& cell);
std::string to_markdown(const Table& table);
std::string to_csv(const Table& table);  ///< RFC 4180 with \n

}  // namespace detbench::analysis
