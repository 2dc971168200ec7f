// Comparisons for people, for documents and for programs.
#include <fmt/format.h>

#include <algorithm>

#include "bench/catalog/compare.hpp"
#include "bench/catalog/text.hpp"

namespace detbench::catalog {
namespace {

const char* heading(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::nondeterminism: return "Engines that gained or lost the note NONDETERMINISTIC";
    case ChangeKind::first_pick: return "Heuristics that put another engine first (problems)";
    case ChangeKind::appeared: return "Engines that appeared (problems)";
    case ChangeKind::vanished: return "Engines that vanished (problems)";
    case ChangeKind::notes: return "Other notes that changed";
    case ChangeKind::knobs: return "Engines with other knobs or ranges (problems)";
    case ChangeKind::workspace: return "Engines whose default workspace changed (problems, MiB in all)";
    case ChangeKind::failure: break;
  }
  return "Crashes and failures";
}

std::string group_name(const std::string& op, const std::string& types, const std::string& layout) { return op + " " + types_name(types) + " " + layout; }

std::string mib(const std::string& bytes) { return fmt::format("{:.1f}", static_cast<double>(std::stoull(bytes)) / (1 << 20)); }

/// Changes of these kinds are many and alike: an item each in one line per group.
std::string short_item(const Change& c) {
  const auto n = c.problems.size();
  switch (c.kind) {
    case ChangeKind::first_pick: return fmt::format("{} to {} ({})", c.from, c.to, n);
    case ChangeKind::workspace: return fmt::format("{} ({}, {} to {})", *c.engine, n, mib(c.from), mib(c.to));
    case ChangeKind::appeared: return fmt::format("{}{} ({})", *c.engine, c.to.find(note_nondeterministic) == std::string::npos ? "" : " ND", n);
    case ChangeKind::vanished: return fmt::format("{}{} ({})", *c.engine, c.from.find(note_nondeterministic) == std::string::npos ? "" : " ND", n);
    default: return fmt::format("{} ({})", *c.engine, n);
  }
}

std::string long_item(const Change& c) {
  return fmt::format("{}: {} to {} in {} {}", c.engine ? "engine " + std::to_string(*c.engine) : "problem", c.from, c.to, c.problems.size(),
                     c.problems.size() == 1 ? "problem" : "problems");
}

bool is_short(ChangeKind kind) {
  return kind == ChangeKind::first_pick || kind == ChangeKind::appeared || kind == ChangeKind::vanished || kind == ChangeKind::knobs || kind == ChangeKind::workspace;
}

std::string format_kind(const Comparison& comparison, ChangeKind kind, bool markdown) {
  std::vector<std::pair<std::string, std::string>> lines;  // label, items
  for (const auto& c : comparison.changes) {
    if (c.kind != kind) continue;
    auto label = group_name(c.op, c.types, c.layout);
    if (c.mode) label += " " + std::string(to_text(*c.mode));
    if (!is_short(kind)) {
      lines.emplace_back(label, long_item(c));
      continue;
    }
    const auto at = std::find_if(lines.begin(), lines.end(), [&](const auto& line) { return line.first == label; });
    if (at == lines.end()) lines.emplace_back(label, short_item(c));
    else at->second += ", " + short_item(c);
  }
  if (lines.empty()) return kind == ChangeKind::nondeterminism ? fmt::format("{}{}: none.\n", markdown ? "\n" : "", heading(kind)) : std::string();
  std::string text = markdown ? fmt::format("\n{}:\n\n", heading(kind)) : fmt::format("{}:\n", heading(kind));
  for (const auto& [label, items] : lines) text += markdown ? fmt::format("- {}: {}\n", label, items) : fmt::format("  {:<28} {}\n", label, items);
  return text;
}

std::string format_shares(const Comparison& comparison, bool markdown) {
  std::string rows;
  for (const auto& s : comparison.shares) {
    const bool f32 = s.types.rfind("f32", 0) == 0;
    if (s.from == s.to && (!f32 || s.from_strict == s.to_strict)) continue;
    const auto strict = f32 ? fmt::format("{} to {}", s.from_strict, s.to_strict) : std::string("-");
    rows += markdown ? fmt::format("| {} | {} | {} | {} to {} | {} |\n", group_name(s.op, s.types, s.layout), to_text(s.mode), s.problems, s.from, s.to, strict)
                     : fmt::format("  {:<28} {:<9} of {:>3}: {} to {}, strict {}\n", group_name(s.op, s.types, s.layout), to_text(s.mode), s.problems, s.from, s.to, strict);
  }
  if (rows.empty()) return fmt::format("{}First picks marked nondeterministic: as many as before, everywhere.\n", markdown ? "\n" : "");
  if (!markdown) return "First picks marked nondeterministic that became more or fewer:\n" + rows;
  return "\nFirst picks marked nondeterministic that became more or fewer:\n\n| graphs | mode | problems | marked | marked, strict f32 |\n| --- | --- | --- | --- | --- |\n" + rows;
}

}  // namespace

std::string format_comparison(const Comparison& c, bool markdown) {
  std::string text = markdown ? fmt::format("\n## From {} to {}\n\n", c.from, c.to) : fmt::format("From {} to {}\n", c.from, c.to);
  for (const auto& warning : c.warnings) text += markdown ? fmt::format("**Warning**: {}\n\n", warning) : fmt::format("WARNING: {}\n", warning);
  text += fmt::format("{} problems in both", c.common);
  if (c.only_from + c.only_to > 0) text += fmt::format(", {} only in the first, {} only in the second", c.only_from, c.only_to);
  text += ".\n" + format_shares(c, markdown);
  for (auto kind : all_change_kinds) text += format_kind(c, kind, markdown);
  return text;
}

std::string format_comparison_csv(const std::vector<Comparison>& comparisons) {
  std::string text = "from,to,change,op,types,layout,engine,mode,before,after,problems\r\n";
  for (const auto& comparison : comparisons)
    for (const auto& c : comparison.changes) {
      const std::vector<std::string> fields{comparison.from, comparison.to, std::string(to_text(c.kind)), c.op, c.types, c.layout,
                                            c.engine ? std::to_string(*c.engine) : "", c.mode ? std::string(to_text(*c.mode)) : "", c.from, c.to,
                                            std::to_string(c.problems.size())};
      for (std::size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(fields[i]);
      text += "\r\n";
    }
  return text;
}

Json to_json(const Comparison& c) {
  Json shares = Json::array(), changes = Json::array();
  for (const auto& s : c.shares)
    shares.push_back({{"op", s.op}, {"types", s.types}, {"layout", s.layout}, {"mode", to_text(s.mode)}, {"problems", s.problems}, {"marked_from", s.from},
                      {"marked_to", s.to}, {"marked_strict_from", s.from_strict}, {"marked_strict_to", s.to_strict}});
  for (const auto& change : c.changes)
    changes.push_back({{"change", to_text(change.kind)},
                       {"op", change.op},
                       {"types", change.types},
                       {"layout", change.layout},
                       {"engine", change.engine ? Json(*change.engine) : Json(nullptr)},
                       {"mode", change.mode ? Json(to_text(*change.mode)) : Json(nullptr)},
                       {"from", change.from},
                       {"to", change.to},
                       {"shapes", change.problems}});
  return {{"from", c.from}, {"to", c.to}, {"warnings", c.warnings}, {"problems_common", c.common}, {"problems_only_from", c.only_from},
          {"problems_only_to", c.only_to}, {"first_picks", std::move(shares)}, {"changes", std::move(changes)}};
}

std::string format_versions(const std::vector<Catalog>& catalogs, bool markdown) {
  struct Row {
    std::string version, target, driver;
    std::map<std::string, std::string> marked;  ///< op -> engines
    std::vector<std::string> picks;
    std::size_t failed = 0;
  };
  std::vector<Row> rows;
  for (const auto& c : catalogs) {
    Row row{c.cudnn_version, c.arch, std::string(to_text(c.driver)), {}, {}, 0};
    struct Count {
      std::size_t marked = 0, strict = 0, problems = 0;
    };
    std::vector<std::pair<std::string, Count>> counts;
    std::map<std::string, std::vector<std::int64_t>> engines;
    for (const auto& t : tally(c)) {
      row.failed += t.failed;
      auto& ids = engines[t.op];
      ids.insert(ids.end(), t.nondeterministic_engines.begin(), t.nondeterministic_engines.end());
      const auto name = types_name(t.types);
      auto at = std::find_if(counts.begin(), counts.end(), [&](const auto& n) { return n.first == name; });
      if (at == counts.end()) at = counts.insert(counts.end(), {name, {}});
      at->second.marked += t.mode(HeuristicMode::a).nondeterministic;
      at->second.strict += t.mode(HeuristicMode::a).nondeterministic_strict;
      at->second.problems += t.problems;
    }
    for (auto& [op, ids] : engines) {
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      row.marked[op] = format_ids(ids);
    }
    for (const auto& [types, n] : counts)
      row.picks.push_back(fmt::format("{} {}/{}{}", types, n.marked, n.problems, types.rfind("f32", 0) == 0 ? fmt::format(" (strict {})", n.strict) : ""));
    rows.push_back(std::move(row));
  }
  std::string text = markdown ? "| cuDNN | target | driver library | engines marked nondeterministic | first picks of mode A marked | failed |\n"
                                "| --- | --- | --- | --- | --- | --- |\n"
                              : fmt::format("{:<10}{:<8}{:<9}{:<52} {:<48} {}\n", "cuDNN", "target", "driver", "engines marked nondeterministic", "first picks of mode A marked", "failed");
  for (const auto& row : rows) {
    std::vector<std::string> marked;
    for (const auto& [op, ids] : row.marked) marked.push_back(op + " " + ids);
    text += markdown ? fmt::format("| {} | {} | {} | {} | {} | {} |\n", row.version, row.target, row.driver, joined(marked, "; "), joined(row.picks), row.failed)
                     : fmt::format("{:<10}{:<8}{:<9}{:<52} {:<48} {}\n", row.version, row.target, row.driver, joined(marked, "; "), joined(row.picks), row.failed);
  }
  return text;
}

}  // namespace detbench::catalog
