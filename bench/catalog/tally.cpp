#include "bench/catalog/tally.hpp"

#include <algorithm>
#include <set>

namespace detbench::catalog {
namespace {

const Engine* engine_behind(const Entry& entry, const std::string& pick) {
  const auto id = engine_of(pick);
  return id ? entry.find_engine(*id) : nullptr;
}

void count_ranking(ModeTally& tally, const Entry& entry, const Ranking& ranking) {
  if (ranking.picks.empty()) {
    ++tally.empty;
    ++tally.empty_strict;
    return;
  }
  ++tally.tops[*engine_of(ranking.picks.front())];
  if (const auto* engine = engine_behind(entry, ranking.picks.front())) {
    const bool marked = engine->has_note(note_nondeterministic);
    tally.nondeterministic += marked ? 1 : 0;
    tally.layers_nondeterministic += marked ? layers_of(entry) : 0;
    tally.runtime_compiled += engine->compiles_at_run_time() ? 1 : 0;
  }
  const auto* strict = first_strict_pick(entry, ranking);
  if (strict == nullptr) {
    ++tally.empty_strict;
  } else if (const auto* engine = engine_behind(entry, *strict)) {
    const bool marked = engine->has_note(note_nondeterministic);
    tally.nondeterministic_strict += marked ? 1 : 0;
    tally.layers_nondeterministic_strict += marked ? layers_of(entry) : 0;
  }
}

void count_entry(Tally& tally, const Entry& entry) {
  ++tally.problems;
  tally.layers += layers_of(entry);
  if (!entry.failure.empty()) {
    ++tally.failed;
    return;
  }
  for (const auto& engine : entry.engines) {
    tally.finalized += engine.finalizes ? 1 : 0;
    tally.valid += engine.status == EngineStatus::valid ? 1 : 0;
    tally.unknown += engine.status == EngineStatus::unknown ? 1 : 0;
    tally.defaults += engine.workspace_bytes ? 1 : 0;
    auto& marked = tally.nondeterministic_engines;
    if (engine.has_note(note_nondeterministic) && std::find(marked.begin(), marked.end(), engine.id) == marked.end())
      marked.insert(std::upper_bound(marked.begin(), marked.end(), engine.id), engine.id);
  }
  std::set<std::string> configurations;
  for (const auto& ranking : entry.rankings) {
    configurations.insert(ranking.picks.begin(), ranking.picks.end());
    count_ranking(tally.mode(ranking.mode), entry, ranking);
  }
  tally.configurations += configurations.size();
}

}  // namespace

std::size_t layers_of(const Entry& entry) { return std::max<std::size_t>(1, entry.used_by.size()); }

const std::string* first_strict_pick(const Entry& entry, const Ranking& ranking) {
  for (const auto& pick : ranking.picks) {
    const auto* engine = engine_behind(entry, pick);
    if (engine == nullptr || (!engine->has_note(note_tensor_core) && !engine->has_note(note_down_convert))) return &pick;
  }
  return nullptr;
}

std::vector<Tally> tally(const Catalog& catalog) {
  std::vector<Tally> all;
  for (const auto& entry : catalog.entries) {
    const auto& p = entry.problem;
    auto at = std::find_if(all.begin(), all.end(), [&](const Tally& t) { return t.op == p.op && t.types == p.types && t.layout == p.layout; });
    if (at == all.end()) {
      Tally fresh;
      fresh.op = p.op, fresh.types = p.types, fresh.layout = p.layout;
      at = all.insert(all.end(), std::move(fresh));
    }
    count_entry(*at, entry);
  }
  return all;
}

}  // namespace detbench::catalog
