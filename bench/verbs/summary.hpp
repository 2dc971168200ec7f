// What a run found, in a few lines for the terminal, and the exit code it earns.
#pragma once

#include "bench/records/record.hpp"

namespace detbench {

void print_summary(const ResultFile& result);
/// 1 when a result was wrong, or a claim was broken and `strict`; 0 when rows were measured; else 3 when every row failed
/// to run, 77 when every row was skipped or unsupported.
int exit_code(const ResultFile& result, bool strict);

}  // namespace detbench
