#include "bench/catalog/catalog.hpp"

#include <algorithm>
#include <charconv>

namespace detbench::catalog {

std::string_view to_text(DriverLibrary driver) { return driver == DriverLibrary::present ? "present" : "absent"; }

std::string_view to_text(EngineStatus status) {
  switch (status) {
    case EngineStatus::valid: return "valid";
    case EngineStatus::unsupported: return "unsupported";
    case EngineStatus::unknown: return "unknown";
    case EngineStatus::crashed: break;
  }
  return "crashed";
}

std::string_view to_text(HeuristicMode mode) {
  switch (mode) {
    case HeuristicMode::a: return "A";
    case HeuristicMode::b: return "B";
    case HeuristicMode::fallback: break;
  }
  return "FALLBACK";
}

bool Engine::has_note(std::string_view note) const { return std::find(notes.begin(), notes.end(), note) != notes.end(); }

bool Engine::compiles_at_run_time() const {
  return std::find(behaviours.begin(), behaviours.end(), behaviour_runtime_compilation) != behaviours.end();
}

std::optional<std::int64_t> engine_of(std::string_view pick) {
  if (pick.substr(0, 3) != "eng") return std::nullopt;
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(pick.data() + 3, pick.data() + pick.size(), id);
  if (error != std::errc() || id < 0 || (end != pick.data() + pick.size() && *end != '[')) return std::nullopt;
  return id;
}

const Engine* Entry::find_engine(std::int64_t id) const {
  const auto at = std::find_if(engines.begin(), engines.end(), [&](const Engine& e) { return e.id == id; });
  return at == engines.end() ? nullptr : &*at;
}

const Ranking* Entry::find_ranking(HeuristicMode mode) const {
  const auto at = std::find_if(rankings.begin(), rankings.end(), [&](const Ranking& r) { return r.mode == mode; });
  return at == rankings.end() ? nullptr : &*at;
}

}  // namespace detbench::catalog
