// What this machine gives at best, measured in the same run as everything that is held against it: memory that is read,
// written and copied, fused multiply-adds, and square matrix products of every kind of arithmetic. Suite `ceilings`.
#pragma once

#include <string>
#include <vector>

#include "bench/suites/filter.hpp"
#include "bench/suites/reduction_problems.hpp"
#include "kernels/problem.hpp"

namespace detbench {

/// The ceilings that a profile measures, cheapest first. The sizes of products are those at which they reach the machine's
/// rate; the short profiles of a CPU stay smaller than that, because a sweep has to end.
std::vector<Problem> ceiling_problems(ReductionSweep sweep, const std::string& backend);

/// A memory op, `fma_rate`, or a `matmul` with m = n = k: no layer of a network is one.
bool is_ceiling(const Problem& problem);

/// Whether FILTER takes this arm. Of a ceiling's product only those that can be its rate, and the plain fixed order, are
/// measured: there a variant of a library's settings, or of a split k, is time for nothing. Naming the problem, or terms
/// `provider:` or `algorithm:`, lifts this.
bool is_wanted(const Filter& filter, const Problem& problem, const Algorithm& algorithm);

}  // namespace detbench
