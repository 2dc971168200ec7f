// Sums down the 64 virtual lanes of fixed_tree.hpp, vectorized: the building block of every CPU sum of ours. Element i
// belongs to lane i mod 64; each lane adds its elements in order; then the lanes are folded (step 2 there). The
// instruction set decides how many lanes share a register and nothing else.
#pragma once

#include <cstdint>

#include "kernels/reduction/isa.hpp"

namespace detbench::reduction {

/// n >= 1 elements; T is float or double.
template <class T>
T lane_sum(const T* x, std::int64_t n, Isa isa);

/// The same with double lanes and a double result: no rounding to f32 in between.
double lane_sum_in_f64(const float* x, std::int64_t n, Isa isa);

/// Kahan's compensated sum in each lane; lanes and what they lost are then folded in double.
template <class T>
double lane_sum_kahan(const T* x, std::int64_t n, Isa isa);

}  // namespace detbench::reduction
