// What a catalog comes to: per direction, data types and layout, how many engines answer and what the heuristics put first.
#pragma once

#include <map>

#include "bench/catalog/catalog.hpp"

namespace detbench::catalog {

/// One heuristic mode over the problems of a group. A pick is nondeterministic when its engine carries that note.
struct ModeTally {
  std::size_t nondeterministic = 0;         ///< problems whose first pick is
  std::size_t nondeterministic_strict = 0;  ///< likewise of the picks left without TENSOR_CORE and DOWN_CONVERT_INPUTS
  std::size_t layers_nondeterministic = 0, layers_nondeterministic_strict = 0;  ///< the layers that pose these problems
  std::size_t runtime_compiled = 0;         ///< problems whose first pick is compiled at run time
  std::size_t empty = 0;                    ///< problems for which the heuristic has no pick
  std::size_t empty_strict = 0;             ///< problems where none is left for strict f32
  std::map<std::int64_t, std::size_t> tops; ///< engine of the first pick -> problems
};

/// Problems that share op, types and layout. The sums are over the problems that were answered.
struct Tally {
  std::string op, types, layout;
  std::size_t problems = 0, layers = 0;  ///< distinct problems, and the layers that pose them
  std::size_t failed = 0;                ///< problems without an answer
  std::size_t finalized = 0, valid = 0, unknown = 0, defaults = 0;  ///< engines, summed over problems
  std::size_t configurations = 0;        ///< distinct picks of all modes, summed over problems
  std::vector<std::int64_t> nondeterministic_engines;  ///< that carry the note in any of the problems
  std::array<ModeTally, all_heuristic_modes.size()> modes;

  const ModeTally& mode(HeuristicMode m) const { return modes[static_cast<std::size_t>(m)]; }
  ModeTally& mode(HeuristicMode m) { return modes[static_cast<std::size_t>(m)]; }
  std::size_t answered() const { return problems - failed; }
  /// Of a sum over the problems that were answered; 0 without any.
  double mean(std::size_t sum) const { return answered() == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(answered()); }
};

/// In the order in which the groups first come in the catalog.
std::vector<Tally> tally(const Catalog& catalog);

/// How many layers pose the problem; 1 for one that was asked by its id.
std::size_t layers_of(const Entry& entry);

/// The first pick that is left when every engine with TENSOR_CORE or DOWN_CONVERT_INPUTS is dropped, as a framework does
/// that was asked for strict f32: dropping the second note alone leaves TF32 engines in. nullptr: none is left.
const std::string* first_strict_pick(const Entry& entry, const Ranking& ranking);

}  // namespace detbench::catalog
