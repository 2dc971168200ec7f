// FILTER, one small language everywhere (DESIGN section 5): `key:glob` terms, all of which must hold, or a case id or
// problem id (it has a '/').
#pragma once

#include <string>
#include <vector>

#include "kernels/problem.hpp"

namespace detbench {

class Filter {
 public:
  /// `terms` are command-line words; each may hold several terms separated by blanks. Unknown keys, empty globs and
  /// malformed ids are refused in one line that lists the keys.
  static Result<Filter> parse(const std::vector<std::string>& terms);

  /// The problem asked for by id, if the filter is one.
  const std::optional<Problem>& problem() const { return problem_; }
  /// The arm asked for by id, if it names one.
  const std::optional<Algorithm>& algorithm() const { return algorithm_; }

  /// Whether any arm of this comparison can match.
  bool accepts(const std::string& suite, const Problem& problem, const std::vector<std::string>& used_by) const;
  bool accepts(const Problem& problem, const Algorithm& algorithm) const;
  /// Whether it takes some arms of a comparison and leaves others.
  bool chooses_arms() const;
  bool is_empty() const { return terms_.empty() && !problem_; }
  const std::string& text() const { return text_; }

 private:
  struct Term {
    std::string key, glob;
  };
  std::vector<Term> terms_;
  std::optional<Problem> problem_;
  std::optional<Algorithm> algorithm_;
  std::string text_;
};

}  // namespace detbench
