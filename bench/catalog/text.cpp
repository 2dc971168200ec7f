#include "bench/catalog/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace detbench::catalog {
namespace {

/// "67:18 5:10 48:2", most problems first.
std::string format_tops(const std::map<std::int64_t, std::size_t>& tops) {
  std::vector<std::pair<std::int64_t, std::size_t>> ordered(tops.begin(), tops.end());
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [engine, problems] : ordered) text += fmt::format("{}{}:{}", text.empty() ? "" : " ", engine, problems);
  return text.empty() ? "-" : text;
}

std::string group_lines(const std::vector<Tally>& tallies) {
  std::string text = fmt::format("{:<11}{:<7}{:<7}{:>9}{:>7} |{:>7}{:>9}{:>9}{:>7} |{:>4}{:>4}{:>10}{:>10} |{:>5}  {}\n", "", "", "", "", "", "engines", "default",
                                 "unknown", "heur.", "A", "B", "FALLBACK", "strict A", "RTC", "first picks of A, engine:problems");
  text = fmt::format("{:<11}{:<7}{:<7}{:>9}{:>7} |{:^32} |{:^28} |\n", "op", "types", "layout", "problems", "layers", "per problem", "first pick marked ND in") + text;
  for (const auto& t : tallies) {
    const auto& a = t.mode(HeuristicMode::a);
    // Strictness is a question about f32 alone.
    const bool f32 = t.types.rfind("f32", 0) == 0;
    text += fmt::format("{:<11}{:<7}{:<7}{:>9}{:>7} |{:>7.1f}{:>9.1f}{:>9.1f}{:>7.1f} |{:>4}{:>4}{:>10}{:>10} |{:>5}  {}\n", t.op, types_name(t.types), t.layout,
                        t.problems, t.layers, t.mean(t.finalized), t.mean(t.defaults), t.mean(t.unknown), t.mean(t.configurations), a.nondeterministic,
                        t.mode(HeuristicMode::b).nondeterministic, t.mode(HeuristicMode::fallback).nondeterministic,
                        f32 ? std::to_string(a.nondeterministic_strict) : "-", a.runtime_compiled, format_tops(a.tops));
  }
  return text;
}

std::string percent(std::size_t part, std::size_t whole) { return whole == 0 ? "-" : fmt::format("{:.0f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole)); }

/// The price question in one line per data type and layout: how often does a library's own choice carry the note?
std::string share_lines(const std::vector<Tally>& tallies) {
  struct Sum {
    std::string types, layout;
    std::size_t problems = 0, layers = 0, marked = 0, marked_layers = 0, strict = 0, strict_layers = 0;
  };
  std::vector<Sum> sums;
  for (const auto& t : tallies) {
    auto at = std::find_if(sums.begin(), sums.end(), [&](const Sum& s) { return s.types == t.types && s.layout == t.layout; });
    if (at == sums.end()) at = sums.insert(sums.end(), {t.types, t.layout});
    const auto& a = t.mode(HeuristicMode::a);
    at->problems += t.problems, at->layers += t.layers;
    at->marked += a.nondeterministic, at->marked_layers += a.layers_nondeterministic;
    at->strict += a.nondeterministic_strict, at->strict_layers += a.layers_nondeterministic_strict;
  }
  std::string text = "Heuristic choice (mode A) marked nondeterministic, all directions:\n";
  const auto line = [&](const Sum& s, const std::string& name, std::size_t marked, std::size_t layers) {
    text += fmt::format("  {:<14}{:<6}{:>4} of {} problems ({}), {} of {} layers\n", name, s.layout, marked, s.problems, percent(marked, s.problems), layers, s.layers);
  };
  for (const auto& s : sums) {
    line(s, types_name(s.types), s.marked, s.marked_layers);
    if (s.types.rfind("f32", 0) == 0) line(s, "f32, strict", s.strict, s.strict_layers);
  }
  return text;
}

std::string marked_engines(const std::vector<Tally>& tallies) {
  std::map<std::string, std::vector<std::int64_t>> by_op;
  for (const auto& t : tallies) {
    auto& ids = by_op[t.op];
    ids.insert(ids.end(), t.nondeterministic_engines.begin(), t.nondeterministic_engines.end());
  }
  std::string text = "Engines marked NONDETERMINISTIC (ND):";
  for (auto& [op, ids] : by_op) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    text += fmt::format(" {} {};", op, ids.empty() ? "none" : format_ids(ids));
  }
  text.back() = '\n';
  return text;
}

std::string rank_text(const Entry& entry, HeuristicMode mode, std::int64_t engine) {
  const auto* ranking = entry.find_ranking(mode);
  if (ranking == nullptr) return "";
  for (std::size_t i = 0; i < ranking->picks.size(); ++i)
    if (engine_of(ranking->picks[i]) == engine) return std::to_string(i + 1);
  return "";
}

std::string knob_text(const Knob& k) {
  return fmt::format("{} {}..{}{}", k.name, k.minimum, k.maximum, k.stride == 1 ? "" : fmt::format(" by {}", k.stride));
}

std::vector<std::string> knob_texts(const Engine& engine) {
  std::vector<std::string> texts;
  for (const auto& k : engine.knobs) texts.push_back(knob_text(k));
  return texts;
}

/// What an engine says about itself, most telling first; RTC for the behaviour that nearly all others hang on.
std::string note_text(const Engine& e) {
  auto words = e.notes;
  words.insert(words.end(), e.behaviours.begin(), e.behaviours.end());
  return joined(words);
}

}  // namespace

std::string types_name(const std::string& types) {
  if (types == "f32_f32_tf32") return "f32";
  if (types == "f16_f32_strict") return "f16";
  if (types == "bf16_f32_strict") return "bf16";
  return types;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string format_ids(const std::vector<std::int64_t>& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size();) {
    std::size_t last = i;
    while (last + 1 < ids.size() && ids[last + 1] == ids[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : " ", ids[i]);
    if (last > i) text += fmt::format("{}{}", last == i + 1 ? " " : "-", ids[last]);
    i = last + 1;
  }
  return text.empty() ? "none" : text;
}

std::string joined(const std::vector<std::string>& words, const std::string& separator, const std::string& none) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : separator) + word;
  return text.empty() ? none : text;
}

std::string format_summary(const Catalog& c) {
  const auto tallies = tally(c);
  std::size_t unknown = 0, failed = 0;
  for (const auto& t : tallies) unknown += t.unknown, failed += t.failed;
  std::string text = fmt::format("cuDNN {} for {} ({}, {}); driver library {}\n", c.cudnn_version, c.arch, c.device,
                                 c.asked_device ? "the GPU in this machine" : "described: no GPU was asked", to_text(c.driver));
  text += fmt::format("{}: {} problems in {:.1f} s\n\n", c.source, c.entries.size(), c.elapsed_s);
  text += group_lines(tallies) + "\n" + share_lines(tallies) + marked_engines(tallies);
  if (unknown > 0)
    text += fmt::format("Unknown: engines compiled at run time (RTC) cannot be told {}{}.\n",
                        c.driver == DriverLibrary::absent ? "without the driver's library libcuda.so.1" : "without a device",
                        c.driver == DriverLibrary::absent ? ", and the heuristics leave them out" : "");
  std::size_t shown = 0;
  for (const auto& e : c.entries)
    if (!e.failure.empty() && ++shown <= 10) text += fmt::format("failed {}: {}\n", problem_id(e.problem), e.failure);
  if (shown > 10) text += fmt::format("and {} more failed\n", shown - 10);
  for (const auto& e : c.entries)
    for (const auto& engine : e.engines)
      if (engine.status == EngineStatus::crashed) text += fmt::format("crashed {} engine {}: {}\n", problem_id(e.problem), engine.id, engine.reason);
  return text;
}

std::string format_entry(const Entry& entry) {
  std::string text = problem_id(entry.problem) + "\n";
  if (!entry.used_by.empty()) text += "  layers: " + joined(entry.used_by) + "\n";
  if (!entry.failure.empty()) return text + "  failed: " + entry.failure + "\n";
  std::size_t notes_width = 5;
  for (const auto& e : entry.engines) notes_width = std::max(notes_width, note_text(e).size());
  text += fmt::format("  {:>6} {:<11}{:>4}{:>4}{:>4} {:>16}  {:<{}}  {}\n", "engine", "status", "A", "B", "FB", "workspace_bytes", "notes", notes_width, "knobs");
  std::map<std::string, std::vector<std::int64_t>> others;
  for (const auto& e : entry.engines) {
    if (!e.finalizes) {
      others[std::string(to_text(e.status)) + " (" + e.reason + ")"].push_back(e.id);
      continue;
    }
    text += fmt::format("  {:>6} {:<11}{:>4}{:>4}{:>4} {:>16}  {:<{}}  {}\n", e.id, to_text(e.status), rank_text(entry, HeuristicMode::a, e.id),
                        rank_text(entry, HeuristicMode::b, e.id), rank_text(entry, HeuristicMode::fallback, e.id),
                        e.workspace_bytes ? std::to_string(*e.workspace_bytes) : "-", note_text(e), notes_width, joined(knob_texts(e), "; "));
  }
  for (const auto& [why, ids] : others) text += fmt::format("  {}: {}\n", why, format_ids(ids));
  for (const auto& r : entry.rankings) {
    text += fmt::format("  {}: {}\n", to_text(r.mode), !r.reason.empty() ? "none: " + r.reason : r.picks.empty() ? "no picks" : r.picks.front());
  }
  return text;
}

std::string format_csv(const Catalog& c) {
  std::string text =
      "cudnn_version,arch,driver_library,problem,op,types,layout,used_by,engine,status,reason,notes,behaviours,knobs,workspace_bytes,rank_a,rank_b,rank_fallback\r\n";
  for (const auto& entry : c.entries) {
    const auto row = [&](const std::vector<std::string>& own) {
      std::vector<std::string> fields{c.cudnn_version, c.arch, std::string(to_text(c.driver)), problem_id(entry.problem), entry.problem.op, entry.problem.types,
                                      entry.problem.layout, joined(entry.used_by, " ", "")};
      fields.insert(fields.end(), own.begin(), own.end());
      for (std::size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(fields[i]);
      text += "\r\n";
    };
    if (!entry.failure.empty()) row({"", "failed", entry.failure, "", "", "", "", "", "", ""});
    for (const auto& e : entry.engines)
      row({std::to_string(e.id), std::string(to_text(e.status)), e.reason, joined(e.notes, " ", ""), joined(e.behaviours, " ", ""), joined(knob_texts(e), "; ", ""),
           e.workspace_bytes ? std::to_string(*e.workspace_bytes) : "", rank_text(entry, HeuristicMode::a, e.id), rank_text(entry, HeuristicMode::b, e.id),
           rank_text(entry, HeuristicMode::fallback, e.id)});
  }
  return text;
}

}  // namespace detbench::catalog
