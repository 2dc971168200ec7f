// Dropout with a mask that is given by the problem.
//   dropout_fwd  src -> dst              0, or src / (1 - p)
//   dropout_bwd  diff_dst -> diff_src    the same mask over the gradient
// Shape "n1769472_p0.2_seed7" with 0 <= p < 1, types f32_f32_strict, layout "vector".
//
// Ours drops element i when word i % 4 of Philox(i / 4) under the key of (seed, "dropout") lies below floor(p 2^32), and
// multiplies what stays by 1 / (1 - p) rounded to f32: a pure function of (seed, i), the same on every device. A library draws
// its own mask from the seed; it is held to what every mask has to satisfy: each output is one of the two values, and the
// share of zeros lies within six standard deviations of p.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// Forward, then backward.
std::vector<std::unique_ptr<Operation>> make_dropout_operations();
/// `p` as text, because it is part of the name: "0.2".
Problem dropout_problem(bool backward, std::int64_t elements, const std::string& p, std::uint64_t seed);

}  // namespace detbench
