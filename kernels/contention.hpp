// What the plan of an algorithm whose partial sums meet in atomics says about itself: METHOD section 3's trap, that too few
// partials per target make any order look fixed, as notes that a table and a chart can read.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace detbench {

/// `partials`: how many partial sums meet in the target that most of them meet in. "contention" is their number;
/// "cannot_show" is there where their order cannot reach the bits.
inline std::map<std::string, std::string> contention_notes(std::int64_t partials) {
  std::map<std::string, std::string> notes{{"contention", std::to_string(partials)}};
  if (partials <= 1) notes["cannot_show"] = "each target receives one partial sum, so no order exists";
  if (partials == 2) notes["cannot_show"] = "two partial sums meet in a target: 0 + a + b and 0 + b + a are the same bits";
  return notes;
}

}  // namespace detbench
