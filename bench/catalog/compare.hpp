// What changed from one catalog to another: two versions of cuDNN, or two architectures.
#pragma once

#include "bench/catalog/tally.hpp"

namespace detbench::catalog {

enum class ChangeKind {
  nondeterminism,  ///< an engine gained or lost the note
  first_pick,      ///< a heuristic puts another engine first
  appeared,        ///< an engine answers that did not; `to` holds its notes
  vanished,        ///< the other way; `from` holds its notes
  notes,           ///< numerical notes other than NONDETERMINISTIC, or behaviours
  knobs,           ///< their names or ranges
  workspace,       ///< of the default configuration; from and to are bytes summed over the problems
  failure,         ///< an engine or a problem began or ceased to crash or fail
};
inline constexpr std::array all_change_kinds{ChangeKind::nondeterminism, ChangeKind::first_pick, ChangeKind::appeared, ChangeKind::vanished,
                                             ChangeKind::notes,          ChangeKind::knobs,      ChangeKind::workspace, ChangeKind::failure};
std::string_view to_text(ChangeKind kind);

/// The same change in all problems of one op, types and layout.
struct Change {
  ChangeKind kind = ChangeKind::notes;
  std::string op, types, layout;
  std::optional<std::int64_t> engine;
  std::optional<HeuristicMode> mode;  ///< of a first pick
  std::string from, to;
  std::vector<std::string> problems;  ///< shapes, in the order of the catalogs
};

/// How many first picks carried the note, over the problems that both catalogs hold.
struct ShareChange {
  std::string op, types, layout;
  HeuristicMode mode = HeuristicMode::a;
  std::size_t problems = 0, from = 0, to = 0, from_strict = 0, to_strict = 0;
};

struct Comparison {
  std::string from, to;               ///< "cuDNN 9.19.0 sm_90"
  std::vector<std::string> warnings;  ///< what makes the two unlike beyond what is asked, most serious first
  std::size_t common = 0, only_from = 0, only_to = 0;  ///< problems
  std::vector<ShareChange> shares;
  std::vector<Change> changes;        ///< in the order of all_change_kinds, then of the catalogs
};

/// Engines that either side calls `unknown` take part in nothing but their notes and knobs.
Comparison compare(const Catalog& from, const Catalog& to);

/// For the terminal; `markdown`: headings, lists and tables.
std::string format_comparison(const Comparison& comparison, bool markdown);
std::string format_comparison_csv(const std::vector<Comparison>& comparisons);
Json to_json(const Comparison& comparison);
/// One row per catalog: version, target, driver library, marked engines, marked first picks by data type.
std::string format_versions(const std::vector<Catalog>& catalogs, bool markdown);

}  // namespace detbench::catalog
