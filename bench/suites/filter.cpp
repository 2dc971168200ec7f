#include "bench/suites/filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <sstream>

namespace detbench {
namespace {

constexpr const char* keys[] = {"suite", "op", "shape", "dtype", "layout", "model", "layer", "provider", "algorithm"};

bool glob_matches(const std::string& glob, const std::string& text) { return fnmatch(glob.c_str(), text.c_str(), 0) == 0; }

/// "mobilenet_v2_alpha1.0:block_3_expand" -> model and layer.
bool any_use_matches(const std::vector<std::string>& used_by, const std::string& glob, bool model) {
  return std::any_of(used_by.begin(), used_by.end(), [&](const std::string& use) {
    const auto colon = use.find(':');
    if (!model) return colon != std::string::npos && glob_matches(glob, use.substr(colon + 1));
    const auto name = use.substr(0, colon);
    // "model:mobilenet_v2" means every alpha of it.
    return glob_matches(glob, name) || glob_matches(glob + "_alpha*", name);
  });
}

}  // namespace

Result<Filter> Filter::parse(const std::vector<std::string>& words) {
  Filter filter;
  for (const auto& word : words) filter.text_ += (filter.text_.empty() ? "" : " ") + word;
  std::istringstream stream(filter.text_);
  for (std::string term; stream >> term;) {
    if (term.find('/') != std::string::npos) {
      if (filter.problem_) return invalid_input("'" + term + "' is a second id: a filter takes one id");
      if (std::count(term.begin(), term.end(), '/') == 3) {
        auto problem = parse_problem_id(term);
        if (!problem) return tl::unexpected(problem.error());
        filter.problem_ = *problem;
      } else {
        auto name = parse_case_id(term);
        if (!name) return tl::unexpected(name.error());
        filter.problem_ = name->problem;
        filter.algorithm_ = name->algorithm;
      }
      continue;
    }
    const auto colon = term.find(':');
    const std::string key = term.substr(0, colon);
    if (colon == std::string::npos || colon + 1 == term.size() || std::find(std::begin(keys), std::end(keys), key) == std::end(keys)) {
      std::string known;
      for (const char* k : keys) known += (known.empty() ? "" : ", ") + std::string(k);
      return invalid_input("'" + term.substr(0, 200) + "' is not a filter term: write key:glob with one of the keys " + known +
                           ", or a case id");
    }
    filter.terms_.push_back({key, term.substr(colon + 1)});
  }
  return filter;
}

bool Filter::accepts(const std::string& suite, const Problem& problem, const std::vector<std::string>& used_by) const {
  if (problem_ && *problem_ != problem) return false;
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    if (term.key == "suite") return glob_matches(term.glob, suite);
    if (term.key == "op") return glob_matches(term.glob, problem.op);
    if (term.key == "shape") return glob_matches(term.glob, problem.shape);
    if (term.key == "dtype") return glob_matches(term.glob, problem.types) || glob_matches(term.glob + "_*", problem.types);
    if (term.key == "layout") return glob_matches(term.glob, problem.layout);
    if (term.key == "model") return any_use_matches(used_by, term.glob, true);
    if (term.key == "layer") return any_use_matches(used_by, term.glob, false);
    return true;
  });
}

bool Filter::chooses_arms() const {
  return algorithm_ || std::any_of(terms_.begin(), terms_.end(), [](const Term& term) { return term.key == "provider" || term.key == "algorithm"; });
}

bool Filter::accepts(const Problem& problem, const Algorithm& algorithm) const {
  if (algorithm_ && (problem != *problem_ || algorithm_id(*algorithm_) != algorithm_id(algorithm))) return false;
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    if (term.key == "provider") return glob_matches(term.glob, algorithm.provider);
    if (term.key == "algorithm") return glob_matches(term.glob, algorithm.name);
    return true;
  });
}

}  // namespace detbench
