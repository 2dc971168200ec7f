#include "bench/analysis/engines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/claim_audit.hpp"
#include "bench/analysis/provenance.hpp"

namespace detbench::analysis {
namespace {

std::string claim_of(const Claim& claim) {
  if (claim.source.empty()) return "no claim";
  return is_declared_nondeterministic(claim) ? "called nondeterministic" : "claims " + std::string(to_text(claim.guarantee));
}

/// Which version a provider's names belong to.
std::string library_of(const ResultFile& file, const std::string& provider) {
  const auto starts = [&](std::string_view with) { return provider.rfind(with, 0) == 0; };
  std::string name;
  if (starts("cudnn")) name = "cudnn";
  else if (starts("cublas")) name = "cublas";
  else if (starts("cub")) name = "cccl";
  else if (starts("onednn")) name = "onednn";
  else if (starts("onetbb") || starts("tbb") || starts("stdpar")) name = "onetbb";
  else return "detbench " + file.detbench_version;
  const auto libraries = file.manifest.find("libraries");
  if (libraries == file.manifest.end() || !libraries->is_object()) return name;
  const auto version = libraries->find(name);
  return version != libraries->end() && version->is_string() ? name + " " + version->get<std::string>() : name;
}

std::uint32_t differing_runs(const ScopeResult& scope) {
  std::uint32_t n = 0;
  for (const auto& stage : scope.stages) n += stage.differing_runs;
  return n;
}

void note(EngineScope& seen, const Record& record, Scope which) {
  const auto* scope = find_scope(record, which);
  if (!scope) return;
  // Where no order can show, a row without a difference is no test of anything.
  const bool quiet = scope->verdict == ScopeVerdict::no_difference && cannot_show(record).empty();
  if (!quiet && !differs(*scope)) return;
  ++seen.tested;
  seen.runs += scope->runs;
  if (quiet) return;
  ++seen.differing;
  const auto runs = differing_runs(*scope);
  const auto share = [](std::uint32_t some, std::uint32_t all) { return all > 0 ? static_cast<double>(some) / all : 0.0; };
  if (seen.worst && share(runs, scope->runs) <= share(seen.worst_differing, seen.worst_runs)) return;
  seen.worst = &record;
  seen.worst_differing = runs;
  seen.worst_runs = scope->runs;
  seen.worst_distinct = scope->distinct;
}

/// Engines in the order of their numbers: eng5 before eng20.
std::tuple<std::string, long, std::string> by_number(const std::string& engine) {
  const auto digits = engine.find_first_of("0123456789");
  if (digits == std::string::npos) return {engine, -1, ""};
  return {engine.substr(0, digits), std::strtol(engine.c_str() + digits, nullptr, 10), engine};
}

struct EngineGroup {
  EngineRow row;
  std::set<std::string> problems, claims, knobs;
};

void add(EngineGroup& group, const ComparisonView& view, const ArmView& arm) {
  auto& row = group.row;
  const auto& record = *arm.record;
  ++row.arms;
  group.problems.insert(view.problem);
  const auto knobs = knobs_of(arm.algorithm);
  if (!knobs.empty()) ++row.with_knobs;
  switch (record.status) {
    case RunStatus::ok: ++row.ok; break;
    case RunStatus::unsupported: ++row.unsupported; break;
    case RunStatus::incorrect: ++row.incorrect; break;
    case RunStatus::crashed: ++row.crashed; break;
    default: ++row.other;
  }
  group.claims.insert(claim_of(record.claim));
  // The bits of a wrong answer mean nothing.
  if (record.status != RunStatus::ok) return;
  note(row.repeat, record, Scope::repeat);
  note(row.load, record, Scope::load);
  if (record.claim_verdict == ClaimVerdict::broken) ++row.broken;
  std::vector<std::string> splitting;
  for (const auto& [knob, value] : knobs)
    if (splits_a_sum(knob, value)) splitting.push_back(knob + "=" + value);
  if (!splitting.empty()) {
    const auto before = row.split_load.differing;
    note(row.split_load, record, Scope::load);
    if (row.split_load.differing > before) group.knobs.insert(splitting.begin(), splitting.end());
  }
  if (arm.ratio && !arm.slow() && (!row.best || arm.ratio->middle < row.best->ratio->middle)) {
    row.best = &arm;
    row.best_view = &view;
  }
}

std::string types_of(const ComparisonView& view) {
  const auto at = view.problem.find('/', view.problem.find('/') + 1);
  return at == std::string::npos ? "" : view.problem.substr(at + 1, view.problem.find('/', at + 1) - at - 1);
}

/// A row of the forbidding table: `view` holds one library's arms alone.
std::vector<Json> forbidding_row(const ComparisonView& view, const std::string& library, bool (*marked)(const ArmView&)) {
  const auto* fastest = view.fastest ? &view.arms[*view.fastest] : nullptr;
  const ArmView* allowed = nullptr;
  for (const auto& arm : view.arms)
    if (arm.timed() && arm.choosing_s && !marked(arm) && (!allowed || *arm.choosing_s < *allowed->choosing_s)) allowed = &arm;
  std::vector<Json> cells{view.tag, library, view.op, types_of(view), view.problem, view.label, view.info ? view.info->used_by.size() : 0,
                          fastest ? fastest->algorithm : "", fastest ? claim_of(fastest->record->claim) : "", allowed ? allowed->algorithm : ""};
  const auto ratio = fastest && allowed ? ratio_between(view, *fastest, *allowed) : std::nullopt;
  const auto band = view.symmetric_band();
  cells.push_back(ratio ? Json(ratio->middle) : Json());
  cells.push_back(ratio ? Json(ratio->low) : Json());
  cells.push_back(ratio ? Json(ratio->high) : Json());
  cells.push_back(band ? Json(band->low) : Json());
  cells.push_back(band ? Json(band->high) : Json());
  cells.push_back(!allowed              ? Json("no other arm was timed")
                  : !ratio              ? Json("too few blocks")
                  : allowed == fastest  ? Json("free")
                  : view.busy           ? Json("ambiguous: busy machine")
                                        : Json(to_text(judge(*ratio, view.twin_band))));
  cells.push_back(allowed ? allowed->record->replay : "");
  return cells;
}

std::string joined(const std::set<std::string>& texts) {
  std::string text;
  for (const auto& each : texts) text += (text.empty() ? "" : ", ") + each;
  return text;
}

}  // namespace

std::string engine_of(const std::string& algorithm) {
  const auto colon = algorithm.find(':');
  auto name = algorithm.substr(colon == std::string::npos ? 0 : colon + 1);
  name = name.substr(0, name.find_first_of("[@"));
  const auto is_ours = [](std::string_view part) { return part == "pad" || part == "sym" || part.ends_with("_mask") || part.ends_with("_slope"); };
  for (auto plus = name.find('+'); plus != std::string::npos; plus = name.find('+')) {
    if (!is_ours(std::string_view(name).substr(0, plus))) return name.substr(0, plus);
    name.erase(0, plus + 1);
  }
  return name;
}

std::vector<std::pair<std::string, std::string>> knobs_of(const std::string& algorithm) {
  std::vector<std::pair<std::string, std::string>> knobs;
  const auto open = algorithm.find('['), close = algorithm.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return knobs;
  for (std::size_t from = open + 1; from < close;) {
    const auto end = std::min(algorithm.find(';', from), close);
    const auto knob = algorithm.substr(from, end - from);
    const auto equals = std::min(knob.find('='), knob.size());
    knobs.emplace_back(knob.substr(0, equals), equals < knob.size() ? knob.substr(equals + 1) : "");
    from = end + 1;
  }
  return knobs;
}

bool splits_a_sum(const std::string& knob, const std::string& value) {
  if (knob == "REDUCTION_MODE" || knob == "SCHEME") return true;
  if (knob == "STREAM_K") return value != "0";
  if (knob.rfind("SPLIT_K", 0) == 0 || knob == "SPLITK" || knob == "SPLIT_P_SLC") return std::strtol(value.c_str(), nullptr, 10) > 1;
  return false;
}

std::string EngineScope::words() const {
  if (tested == 0) return "";
  if (!worst) return fmt::format("none of {} {} ({} runs)", tested, tested == 1 ? "arm" : "arms", runs);
  return fmt::format("{} of {} {}; worst {} of {} runs, {} distinct", differing, tested, tested == 1 ? "arm" : "arms", worst_differing, worst_runs, worst_distinct);
}

std::vector<EngineRow> engine_rows(const std::vector<ComparisonView>& views) {
  using Key = std::tuple<const ResultFile*, std::string, std::string, std::string, std::string, std::string>;
  std::map<Key, EngineGroup> groups;
  std::vector<const ResultFile*> order;
  for (const auto& view : views) {
    if (is_network(view) || is_memory_traffic(view) || view.op == "control") continue;
    if (std::find(order.begin(), order.end(), view.file) == order.end()) order.push_back(view.file);
    const auto types = types_of(view);
    for (const auto& arm : view.arms) {
      const auto library = library_of(*view.file, arm.provider);
      const auto engine = engine_of(arm.algorithm);
      auto& group = groups[{view.file, library, arm.provider, view.op, types, engine}];
      if (group.row.arms == 0) {
        group.row.file = view.file;
        group.row.tag = view.tag;
        group.row.library = library;
        group.row.op = view.op;
        group.row.provider = arm.provider;
        group.row.engine = engine;
        group.row.types = types;
      }
      add(group, view, arm);
    }
  }
  std::vector<EngineRow> rows;
  for (auto& [key, group] : groups) {
    group.row.problems = group.problems.size();
    group.row.claim = joined(group.claims);
    group.row.split_knobs = joined(group.knobs);
    rows.push_back(std::move(group.row));
  }
  const auto place = [&](const EngineRow& row) { return std::find(order.begin(), order.end(), row.file) - order.begin(); };
  std::stable_sort(rows.begin(), rows.end(), [&](const EngineRow& a, const EngineRow& b) {
    const auto key = [&](const EngineRow& r) { return std::tuple(place(r), r.library, r.provider, r.op, r.types, by_number(r.engine)); };
    return key(a) < key(b);
  });
  return rows;
}

Table engine_table(const std::vector<EngineRow>& rows) {
  Table table{"engines",
              "What the engines of each library did",
              {"file", "library", "op", "provider", "engine", "types", "problems", "arms", "with knobs", "ok", "unsupported", "incorrect", "crashed", "other",
               "claim", "differs in repeat", "differs under load", "broken claims", "differs under load, where knobs split a sum", "knob values that differ",
               "best price, x the fastest", "95 % from", "95 % to", "verdict", "where", "replay"},
              {}};
  for (const auto& row : rows) {
    std::vector<Json> cells{row.tag, row.library, row.op, row.provider, row.engine, row.types, row.problems, row.arms, row.with_knobs,
                            row.ok, row.unsupported, row.incorrect, row.crashed, row.other, row.claim, row.repeat.words(), row.load.words(),
                            row.broken, row.split_load.words(), row.split_knobs};
    const auto* best = row.best;
    cells.push_back(best ? Json(best->ratio->middle) : Json());
    cells.push_back(best ? Json(best->ratio->low) : Json());
    cells.push_back(best ? Json(best->ratio->high) : Json());
    cells.push_back(!best ? Json() : row.best_view->busy ? Json("ambiguous: busy machine") : Json(to_text(best->verdict)));
    cells.push_back(best ? row.best_view->label : "");
    // What shows the worst bits is what somebody wants to run again; else the best price.
    const Record* shown = row.load.worst ? row.load.worst : row.repeat.worst ? row.repeat.worst : best ? best->record : nullptr;
    cells.push_back(shown ? shown->replay : "");
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table forbidding_table(const std::vector<ComparisonView>& views) {
  Table table{"price_of_forbidding",
              "What forbidding the arms that are called nondeterministic costs",
              {"file", "library", "op", "types", "problem", "label", "layers", "fastest of the library", "its claim",
               "fastest that is not called nondeterministic", "price", "95 % from", "95 % to", "A/A band from", "A/A band to", "verdict", "replay"},
              {}};
  for (const auto& view : views) {
    if (is_network(view) || is_memory_traffic(view) || !view.fastest) continue;
    const auto marked = [](const ArmView& arm) { return is_declared_nondeterministic(arm.record->claim); };
    std::set<std::string> libraries;
    for (const auto& arm : view.arms)
      if (arm.timed() && marked(arm)) libraries.insert(library_of(*view.file, arm.provider));
    for (const auto& library : libraries)
      table.rows.push_back(forbidding_row(narrowed(view, [&](const ArmView& arm) { return library_of(*view.file, arm.provider) == library; }), library, marked));
  }
  return table;
}

}  // namespace detbench::analysis
