#include "bench/catalog/compare.hpp"

#include <algorithm>
#include <set>

#include "bench/catalog/text.hpp"

namespace detbench::catalog {
namespace {

std::string name_of(const Catalog& c) { return "cuDNN " + c.cudnn_version + " " + c.arch; }

std::string notes_of(const Engine& e, bool with_nondeterminism = true) {
  std::vector<std::string> words;
  for (const auto& note : e.notes)
    if (with_nondeterminism || note != note_nondeterministic) words.push_back(note);
  words.insert(words.end(), e.behaviours.begin(), e.behaviours.end());
  return joined(words, "+", "none");
}

std::string knobs_of(const Engine& e) {
  std::vector<std::string> words;
  for (const auto& k : e.knobs) words.push_back(k.name + "=" + std::to_string(k.minimum) + ".." + std::to_string(k.maximum) + (k.stride == 1 ? "" : "/" + std::to_string(k.stride)));
  return joined(words, ";", "none");
}

class Comparer {
 public:
  Comparer(const Catalog& from, const Catalog& to) : from_(from), to_(to) {}

  Comparison run() {
    result_.from = name_of(from_), result_.to = name_of(to_);
    warn();
    Catalog common_from, common_to;
    for (const auto& a : from_.entries) {
      const auto b = std::find_if(to_.entries.begin(), to_.entries.end(), [&](const Entry& e) { return e.problem == a.problem; });
      if (b == to_.entries.end()) {
        ++result_.only_from;
        continue;
      }
      ++result_.common;
      compare_entries(a, *b);
      common_from.entries.push_back(a);
      common_to.entries.push_back(*b);
    }
    result_.only_to = to_.entries.size() - result_.common;
    share(tally(common_from), tally(common_to));
    std::stable_sort(result_.changes.begin(), result_.changes.end(), [](const Change& a, const Change& b) { return a.kind < b.kind; });
    return std::move(result_);
  }

 private:
  void warn() {
    const auto warn = [&](std::string text) { result_.warnings.push_back(std::move(text)); };
    if (from_.driver != to_.driver)
      warn("NOT LIKE WITH LIKE: the driver library was " + std::string(to_text(from_.driver)) + " for " + result_.from + " and " + std::string(to_text(to_.driver)) +
           " for " + result_.to + ". Without it, engines compiled at run time are missing from heuristics; differences in first picks may be that and nothing else.");
    if (from_.asked_device != to_.asked_device) warn("one of the two asked a real GPU, the other a description of one");
    if (from_.arch != to_.arch && from_.cudnn_version != to_.cudnn_version) warn("both the version and the architecture differ");
    if (from_.arch == to_.arch && from_.device != to_.device) warn("the GPUs differ: " + from_.device + " and " + to_.device);
    if (from_.source != to_.source) warn("different problems were asked: " + from_.source + " and " + to_.source + "; those in both are compared");
  }

  void compare_entries(const Entry& a, const Entry& b) {
    if (a.failure != b.failure) note(b, ChangeKind::failure, {}, {}, a.failure.empty() ? "answered" : a.failure, b.failure.empty() ? "answered" : b.failure);
    if (!a.failure.empty() || !b.failure.empty()) return;
    std::set<std::int64_t> ids;
    for (const auto* entry : {&a, &b})
      for (const auto& e : entry->engines) ids.insert(e.id);
    for (const auto id : ids) {
      static const Engine absent;
      const auto* from = a.find_engine(id);
      const auto* to = b.find_engine(id);
      compare_engines(b, id, from ? *from : absent, to ? *to : absent);
    }
    for (auto mode : all_heuristic_modes) {
      const auto first = [&](const Entry& e) -> std::string {
        const auto* r = e.find_ranking(mode);
        if (r == nullptr || !r->reason.empty()) return "failed";
        return r->picks.empty() ? "none" : "eng" + std::to_string(*engine_of(r->picks.front()));
      };
      if (const auto from = first(a), to = first(b); from != to) note(b, ChangeKind::first_pick, {}, mode, from, to);
    }
  }

  void compare_engines(const Entry& entry, std::int64_t id, const Engine& a, const Engine& b) {
    if ((a.status == EngineStatus::crashed) != (b.status == EngineStatus::crashed)) note(entry, ChangeKind::failure, id, {}, std::string(to_text(a.status)), std::string(to_text(b.status)));
    if (a.status == EngineStatus::crashed || b.status == EngineStatus::crashed) return;
    // Between catalogs made with and without the driver's library, or a device, `unknown` against anything is no change.
    const bool one_unknown = (a.status == EngineStatus::unknown) != (b.status == EngineStatus::unknown);
    const auto answers = [](const Engine& e) { return e.status == EngineStatus::valid || e.status == EngineStatus::unknown; };
    const bool likes = from_.driver == to_.driver && from_.asked_device == to_.asked_device;
    if (answers(a) != answers(b) && (likes || !one_unknown)) {
      if (answers(b)) note(entry, ChangeKind::appeared, id, {}, "", notes_of(b));
      else note(entry, ChangeKind::vanished, id, {}, notes_of(a), "");
    }
    if (!a.finalizes || !b.finalizes) return;
    if (a.has_note(note_nondeterministic) != b.has_note(note_nondeterministic))
      note(entry, ChangeKind::nondeterminism, id, {}, a.has_note(note_nondeterministic) ? note_nondeterministic : "not marked",
           b.has_note(note_nondeterministic) ? note_nondeterministic : "not marked");
    if (const auto from = notes_of(a, false), to = notes_of(b, false); from != to) note(entry, ChangeKind::notes, id, {}, from, to);
    if (const auto from = knobs_of(a), to = knobs_of(b); from != to) note(entry, ChangeKind::knobs, id, {}, from, to);
    if (a.workspace_bytes && b.workspace_bytes && a.workspace_bytes != b.workspace_bytes) add_workspace(entry, id, *a.workspace_bytes, *b.workspace_bytes);
  }

  Change* find(const Entry& e, ChangeKind kind, std::optional<std::int64_t> engine, std::optional<HeuristicMode> mode) {
    const auto at = std::find_if(result_.changes.begin(), result_.changes.end(), [&](const Change& c) {
      return c.kind == kind && c.op == e.problem.op && c.types == e.problem.types && c.layout == e.problem.layout && c.engine == engine && c.mode == mode;
    });
    return at == result_.changes.end() ? nullptr : &*at;
  }

  void note(const Entry& e, ChangeKind kind, std::optional<std::int64_t> engine, std::optional<HeuristicMode> mode, const std::string& from, const std::string& to) {
    const auto& p = e.problem;
    for (auto& c : result_.changes)
      if (c.kind == kind && c.op == p.op && c.types == p.types && c.layout == p.layout && c.engine == engine && c.mode == mode && c.from == from && c.to == to) {
        c.problems.push_back(p.shape);
        return;
      }
    result_.changes.push_back({kind, p.op, p.types, p.layout, engine, mode, from, to, {p.shape}});
  }

  void add_workspace(const Entry& e, std::int64_t engine, std::uint64_t from, std::uint64_t to) {
    auto* change = find(e, ChangeKind::workspace, engine, {});
    if (change == nullptr) return note(e, ChangeKind::workspace, engine, {}, std::to_string(from), std::to_string(to));
    change->from = std::to_string(std::stoull(change->from) + from);
    change->to = std::to_string(std::stoull(change->to) + to);
    change->problems.push_back(e.problem.shape);
  }

  void share(const std::vector<Tally>& from, const std::vector<Tally>& to) {
    for (const auto& a : from)
      for (const auto& b : to)
        if (a.op == b.op && a.types == b.types && a.layout == b.layout)
          for (auto mode : all_heuristic_modes)
            result_.shares.push_back({a.op, a.types, a.layout, mode, a.problems, a.mode(mode).nondeterministic, b.mode(mode).nondeterministic,
                                      a.mode(mode).nondeterministic_strict, b.mode(mode).nondeterministic_strict});
  }

  const Catalog& from_;
  const Catalog& to_;
  Comparison result_;
};

}  // namespace

std::string_view to_text(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::nondeterminism: return "nondeterminism";
    case ChangeKind::first_pick: return "first pick";
    case ChangeKind::appeared: return "appeared";
    case ChangeKind::vanished: return "vanished";
    case ChangeKind::notes: return "notes";
    case ChangeKind::knobs: return "knobs";
    case ChangeKind::workspace: return "workspace";
    case ChangeKind::failure: break;
  }
  return "failure";
}

Comparison compare(const Catalog& from, const Catalog& to) { return Comparer(from, to).run(); }

}  // namespace detbench::catalog
