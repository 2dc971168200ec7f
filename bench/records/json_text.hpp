// JSON from text that may be broken or hostile: a file someone sent, a line a crashing worker left half written.
#pragma once

#include <string_view>

#include "bench/records/record.hpp"

namespace detbench {

/// Parses JSON (no comments, no NaN, no infinity). `what` names the text in reasons ("result.json", "worker line").
/// Refused before a parser sees it: nesting deeper than 64, an object with more than 65536 members, control bytes that
/// show the text to be binary. Never throws.
Result<Json> parse_json(std::string_view text, const std::string& what);

}  // namespace detbench
