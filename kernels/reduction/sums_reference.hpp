// Verifying sums: METHOD section 2 for outputs that are plain sums of inputs, against their exact sums.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/reduction/reference_sum.hpp"

namespace detbench::reduction {

/// Checks the one output, canonical, of `sums.size()` elements of `type`: f32, f64, f16 or bf16, the accumulator's. Every
/// element must be finite. Exact fill: equality, after making sure that magnitudes stay within 2^24 (f64: 2^53, f16:
/// 2^11, bf16: 2^8). Else |error| <= min(c (4 + 2 sqrt(K)), K) u sum|x|, with c = Algorithm::bound_constant and K the
/// terms of that output. Records the accuracy against the exact sums.
std::unique_ptr<Reference> make_sums_reference(const Inputs& inputs, DataType type, std::vector<ReferenceSum> sums);

/// Host memory filled as `spec` says, in canonical order.
template <class T>
Result<std::vector<T>> filled(DataType type, std::int64_t n, const FillSpec& spec) {
  std::vector<T> values;
  try {
    values.resize(static_cast<std::size_t>(n));
  } catch (const std::bad_alloc&) {
    return failure("the reference needs " + std::to_string(n) + " elements in host memory",
                   Reason::Kind::out_of_memory);
  }
  const Tensor tensor{{"src", type, {n}, canonical_layout({n})}, {values.data(), values.size() * sizeof(T)}};
  if (auto status = fill_on_host(tensor, spec); !status) return tl::unexpected(status.error());
  return values;
}

}  // namespace detbench::reduction
