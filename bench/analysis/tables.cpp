#include "bench/analysis/tables.hpp"

#include <fmt/format.h>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/engines.hpp"
#include "bench/analysis/headlines.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/reduction_rows.hpp"
#include "bench/analysis/roofline.hpp"

namespace detbench::analysis {
namespace {


Json count(std::uint32_t value) { return value == 0 ? Json() : Json(value); }

/// A table from chart rows: the same figures, so that table and chart cannot part.
Table from_rows(std::string name, std::string title, const Json& rows,
                const std::vector<std::pair<const char*, const char*>>& columns) {
  Table table{std::move(name), std::move(title), {}, {}};
  for (const auto& [key, heading] : columns) table.columns.emplace_back(heading);
  for (const auto& row : rows) {
    std::vector<Json> cells;
    for (const auto& [key, heading] : columns) cells.push_back(row.contains(key) ? row[key] : Json());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string frontier_word(const ArmView& arm) {
  std::string word;
  for (const auto& [flag, name] : {std::pair{arm.frontier_agreement, "agreement"},
                                   {arm.frontier_error, "error"},
                                   {arm.frontier_workspace, "workspace"}})
    if (flag) word += (word.empty() ? "" : ", ") + std::string(name);
  return word;
}

}  // namespace

Table results_table(const std::vector<ComparisonView>& views) {
  Table table{"results",
              "Every arm that was attempted",
              {"file", "problem", "algorithm", "status", "claim", "claim verdict"},
              {}};
  for (const auto scope : all_scopes)
    if (scope != Scope::machine) table.columns.emplace_back(to_text(scope));
  for (const char* column :
       {"largest error, ULP", "workspace, bytes", "median, us", "minimum, us", "to the fastest", "95 % from", "to",
        "verdict of the times", "samples", "on the frontier of time and", "reason", "replay"})
    table.columns.emplace_back(column);
  for (const auto& view : views)
    for (const auto& arm : view.arms) {
      const auto& r = *arm.record;
      std::vector<Json> cells{view.tag,          view.problem,  arm.algorithm,
                              to_text(r.status), claim_word(r), to_text(r.claim_verdict)};
      for (const auto scope : all_scopes) {
        if (scope == Scope::machine) continue;
        const auto* found = find_scope(r, scope);
        cells.push_back(found ? Json(scope_words(r, *found)) : Json());
      }
      cells.push_back(r.verification ? Json(r.verification->max_ulp) : Json());
      cells.push_back(r.workspace_bytes ? Json(*r.workspace_bytes) : Json());
      cells.push_back(arm.timed() ? Json(arm.time->median_s * us) : Json());
      cells.push_back(arm.timed() ? Json(arm.time->minimum_s * us) : Json());
      cells.push_back(arm.ratio ? Json(arm.ratio->middle) : Json());
      cells.push_back(arm.ratio ? Json(arm.ratio->low) : Json());
      cells.push_back(arm.ratio ? Json(arm.ratio->high) : Json());
      cells.push_back(!arm.timed() ? Json()
                      : view.busy  ? Json("ambiguous: busy machine")
                      : arm.slow() ? Json("slow: one timing")
                                   : Json(to_text(arm.verdict)));
      cells.push_back(arm.timed() ? count(arm.time->used) : Json());
      cells.push_back(frontier_word(arm));
      cells.push_back(r.reason);
      cells.push_back(r.replay);
      table.rows.push_back(std::move(cells));
    }
  return table;
}

Table price_table(const std::vector<ComparisonView>& views) {
  return from_rows("price_of_agreement", "What agreement costs, problem by problem", price_rows(views),
                   {{"group", "op"},
                    {"label", "problem"},
                    {"demand", "no difference asked for"},
                    {"ratio", "price (x the fastest)"},
                    {"low", "95 % from"},
                    {"high", "to"},
                    {"band_low", "A/A band from"},
                    {"band_high", "to"},
                    {"verdict", "verdict"},
                    {"fastest", "fastest of all"},
                    {"fastest_us", "its median, us"},
                    {"chosen", "fastest that met the demand"},
                    {"chosen_us", "its median, us"},
                    {"note", "note"},
                    {"replay", "replay"}});
}

Table reduction_table(const std::vector<ComparisonView>& views) {
  return from_rows("reductions", "Reductions and scatter-adds", reduction_rows(views),
                   {{"group", "op"},
                    {"size", "problem"},
                    {"algorithm", "algorithm"},
                    {"gb_per_s", "GB/s"},
                    {"time_us", "median, us"},
                    {"distinct", "distinct results"},
                    {"runs", "runs"},
                    {"error_ulp", "largest error, ULP"},
                    {"relative_l2", "relative error (L2)"},
                    {"claim", "claim"},
                    {"tier", "observed"},
                    {"replay", "replay"}});
}

Table reduction_speed_table(const std::vector<ComparisonView>& views) {
  return from_rows("reduction_speed", "Reductions against the measured read bandwidth and the fastest unordered arm", reduction_speed_rows(views),
                   {{"group", "op"},
                    {"label", "problem"},
                    {"algorithm", "algorithm"},
                    {"order", "order"},
                    {"claim", "claim"},
                    {"observed", "observed"},
                    {"lowering", "atomic lowering"},
                    {"time_us", "median, us"},
                    {"gb_per_s", "GB/s"},
                    {"roof_gb_per_s", "read bandwidth, GB/s"},
                    {"roof", "measured with"},
                    {"share", "share of it"},
                    {"unordered", "fastest unordered"},
                    {"to_unordered", "time to that"},
                    {"low", "95 % from"},
                    {"high", "to"},
                    {"error_ulp", "largest error, ULP"},
                    {"bound", "what bounds it"},
                    {"replay", "replay"}});
}

Table speed_target_table(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files) {
  return from_rows("speed_targets", "Speed targets of the reductions", speed_target_rows(views, files),
                   {{"file", "file"},
                    {"target", "target"},
                    {"problem", "problem"},
                    {"arm", "arm"},
                    {"reached", "reached"},
                    {"low", "95 % from"},
                    {"high", "to"},
                    {"asked", "asked"},
                    {"verdict", "verdict"},
                    {"roof_gb_per_s", "read bandwidth, GB/s"},
                    {"share", "share of it"},
                    {"bound", "what bounds it"},
                    {"replay", "replay"}});
}

Table contention_table(const std::vector<ComparisonView>& views) {
  return from_rows("contention", "What order costs under contention", contention_rows(views),
                   {{"panel", "op"},
                    {"problem", "problem"},
                    {"layout", "layout"},
                    {"updates_per_bin", "updates per bin"},
                    {"strategy", "strategy"},
                    {"ordered", "fastest of it"},
                    {"atomic", "fastest atomic"},
                    {"price", "price (x the atomic)"},
                    {"low", "95 % from"},
                    {"high", "to"},
                    {"verdict", "verdict"},
                    {"seen", "the atomic was seen to"},
                    {"why", "why none can show"},
                    {"replay", "replay"}});
}

Table worst_case_table(const std::vector<ComparisonView>& views) {
  return from_rows("cannot_show", "Rows in which no order of additions can show", worst_case_rows(views),
                   {{"group", "op"},
                    {"label", "problem"},
                    {"algorithm", "algorithm"},
                    {"order", "order"},
                    {"contention", "contention"},
                    {"seen", "observed"},
                    {"why", "why none can show"},
                    {"replay", "replay"}});
}

Table ceiling_table(const std::vector<ComparisonView>& views, const std::vector<ResultFile>& files) {
  return from_rows("measured_ceilings", "What the machine gave in the same run", ceiling_rows(views, files),
                   {{"file", "file"}, {"op", "op"}, {"buffer", "size"}, {"types", "types"}, {"gb_per_s", "GB/s"}, {"gflop_per_s", "GFLOP/s"}, {"algorithm", "fastest algorithm"}, {"busy", "verdict"}, {"replay", "replay"}});
}

Table roofline_table(const std::vector<ComparisonView>& views) {
  return from_rows("roofline", "What was reached of what the machine gives, and what binds it", roofline_rows(views),
                   {{"group", "op"},
                    {"label", "problem"},
                    {"types", "types"},
                    {"algorithm", "algorithm"},
                    {"role", "published as"},
                    {"claim", "claim"},
                    {"observed", "observed"},
                    {"time_us", "median, us"},
                    {"gflop_per_s", "GFLOP/s"},
                    {"flop_per_byte", "operations per byte"},
                    {"roof_gflop_per_s", "the roof, GFLOP/s"},
                    {"limit", "of"},
                    {"roof", "measured with"},
                    {"share", "share of it"},
                    {"fma_share", "share of the f32 fma roof"},
                    {"bound", "what binds it"},
                    {"replay", "replay"}});
}

Table train_step_table(const std::vector<ComparisonView>& views) {
  Table table = from_rows("train_steps", "Train steps by policy", policy_rows(views),
                          {{"panel", "network"},
                           {"policy", "policy"},
                           {"step_ms", "median step, ms"},
                           {"minimum_ms", "minimum, ms"},
                           {"ratio", "to the fastest"},
                           {"low", "95 % from"},
                           {"high", "to"},
                           {"images_per_s", "images/s"},
                           {"reorder_share", "reorders, share of op time"}});
  for (const char* column : {"data preparation, ms", "memory, bytes", "steps", "loss after them", "repeat", "process",
                             "load", "partition", "status", "replay"})
    table.columns.emplace_back(column);
  std::size_t at = 0;
  for (const auto& view : views) {
    if (!is_train_step(view)) continue;
    for (const auto& arm : view.arms) {
      auto& cells = table.rows[at++];
      const auto& r = *arm.record;
      const auto& step = r.train_step;
      cells.push_back(step ? Json(step->input_s * ms) : Json());
      cells.push_back(step ? Json(step->memory_bytes) : Json());
      cells.push_back(step ? Json(step->steps) : Json());
      cells.push_back(step && !step->loss.empty() ? Json(step->loss.back()) : Json());
      for (const auto scope : {Scope::repeat, Scope::process, Scope::load, Scope::partition}) {
        const auto* found = find_scope(r, scope);
        cells.push_back(found ? Json(scope_words(*found)) : Json());
      }
      cells.push_back(std::string(to_text(r.status)) + (r.reason.empty() ? "" : ": " + r.reason));
      cells.push_back(r.replay);
    }
  }
  return table;
}

Table control_table(const std::vector<ResultFile>& files) {
  Table table{"controls",
              "Controls: did the instrument see what it must see",
              {"file", "control", "scope", "must", "distinct", "runs", "as expected", "note"},
              {}};
  for (std::size_t i = 0; i < files.size(); ++i)
    for (const auto& c : files[i].controls)
      table.rows.push_back({file_tag(i, files.size()), c.name, to_text(c.scope), c.positive ? "differ" : "not differ",
                            c.distinct, c.runs, c.as_expected ? "yes" : "NO", c.note});
  return table;
}

std::vector<Table> make_tables(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views) {
  return {network_price_table(make_headlines(views)), price_table(views), forbidding_table(views), engine_table(engine_rows(views)),
          train_step_table(views), policy_table(files), divergence_table(files),
          reduction_table(views), reduction_speed_table(views), speed_target_table(views, files), contention_table(views),
          worst_case_table(views), ceiling_table(views, files), roofline_table(views), control_table(files), ablation_table(files),    results_table(views)};
}

std::string cell_text(const Json& cell) {
  if (cell.is_null()) return "";
  if (cell.is_string()) return cell.get<std::string>();
  if (cell.is_number_float()) return fmt::format("{:.4g}", cell.get<double>());
  return cell.dump();
}

std::string to_markdown(const Table& table) {
  std::string text = "# " + table.title + "\n\n";
  if (table.rows.empty()) return text + "No data.\n";
  const auto line = [&](const auto& cells, auto to_cell) {
    text += "|";
    for (const auto& cell : cells) {
      std::string safe;
      for (const char c : std::string(to_cell(cell))) {
        if (c == '|') safe += '\\';
        safe += c == '\n' || c == '\r' ? ' ' : c;
      }
      text += " " + safe + " |";
    }
    text += "\n";
  };
  line(table.columns, [](const std::string& s) { return s; });
  line(table.columns, [](const std::string&) { return "---"; });
  for (const auto& row : table.rows) line(row, cell_text);
  return text;
}

std::string to_csv(const Table& table) {
  std::string text;
  const auto line = [&](const auto& cells, auto to_cell) {
    bool first = true;
    for (const auto& cell : cells) {
      const std::string raw = to_cell(cell);
      if (!first) text += ",";
      first = false;
      if (raw.find_first_of(",\"\n\r") == std::string::npos) {
        text += raw;
        continue;
      }
      text += '"';
      for (const char c : raw) text += c == '"' ? std::string("\"\"") : std::string(1, c);
      text += '"';
    }
    text += "\n";
  };
  line(table.columns, [](const std::string& s) { return s; });
  for (const auto& row : table.rows)
    line(row, [](const Json& cell) {
      return cell.is_null() ? std::string() : cell.is_string() ? cell.get<std::string>() : cell.dump();
    });
  return text;
}

}  // namespace detbench::analysis
