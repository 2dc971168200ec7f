// Element-wise comparison of two results: how many elements differ, where first, and by how much.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// Differences between two results of equal shape and type (layouts may differ). Bytes decide, never values.
struct Comparison {
  std::uint64_t elements = 0;
  std::uint64_t differing = 0;         ///< V_c = differing / elements
  std::uint64_t value_equal = 0;       ///< of those, equal as values (-0.0 against 0.0) or both NaN
  std::uint64_t first_element = 0;     ///< canonical index of the first difference
  std::uint64_t first_bits = 0;        ///< its bits in a
  std::uint64_t second_bits = 0;       ///< its bits in b
  double v_ermv = 0;                   ///< mean of |a-b| / |a| over the elements with a != 0 and both finite
  std::uint64_t max_ulp = 0;           ///< largest distance in units in the last place; 2^63 if one side is NaN
  double max_abs = 0;
};

/// Compares host tensors; both specs must agree in type and shape.
Result<Comparison> compare_on_host(const Tensor& a, const Tensor& b);

/// Copies the elements in canonical order without padding into `out` (bytes() of the canonical layout): the form in
/// which a baseline is kept.
void gather_canonical(const Tensor& tensor, std::vector<std::byte>& out);

/// Distance in units in the last place between two values of one type, given as bits; monotone through zero.
std::uint64_t ulp_distance(DataType type, std::uint64_t a_bits, std::uint64_t b_bits);

/// One element as double, by canonical index (f16 and bf16 widened exactly). For references and checks, not for speed.
double element_as_double(const Tensor& tensor, std::int64_t canonical_index);

}  // namespace detbench
