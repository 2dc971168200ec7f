// A catalog for people and spreadsheets.
#pragma once

#include "bench/catalog/tally.hpp"

namespace detbench::catalog {

/// Who was asked about what, the groups with their first picks, the share of nondeterministic ones by data type, and what
/// could not be asked.
std::string format_summary(const Catalog& catalog);
/// Every engine of one problem that exists for it, with its ranks, and the ids of those that do not.
std::string format_entry(const Entry& entry);
/// One row per problem and engine, quoted as RFC 4180 says.
std::string format_csv(const Catalog& catalog);

/// "f32" for f32_f32_tf32, whose graph admits every engine; "f32_f32_strict" and the like as they are; "f16", "bf16".
std::string types_name(const std::string& types);
/// A field of CSV, in quotes where it holds a comma, a quote or a line break.
std::string csv_field(const std::string& text);
/// "0-3 7 9"
std::string format_ids(const std::vector<std::int64_t>& ascending);
/// "TENSOR_CORE, NONDETERMINISTIC"; "-" for none.
std::string joined(const std::vector<std::string>& words, const std::string& separator = ", ", const std::string& none = "-");

}  // namespace detbench::catalog
