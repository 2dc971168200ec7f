// Algorithms that add every summand by itself to one running sum.
#pragma once

namespace detbench::reduction {

/// TableRow::bound_constant of theirs: in a long sum of one sign most summands lie below the running sum's last places, and
/// where small ones are commoner than large ones, as among products, roundings lean to one side. They do not cancel then,
/// and only the bound for the worst case, K u sum|x|, holds.
inline constexpr double running_sum_bound_constant = 0x1p30;

}  // namespace detbench::reduction
