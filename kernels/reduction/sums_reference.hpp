// Verifying sums: METHOD section 2 for outputs that are plain sums of inputs, in f32 or f64.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::reduction {

/// One output, added up in long double with Neumaier's compensation (ZAMM 54, 1974): some 2^-120 of the magnitudes'
/// sum is lost, so the reference is as good as exact for f32 and for f64, and shares no formula with the algorithms.
class ReferenceSum {
 public:
  void add(long double value) {
    const long double total = sum_ + value;
    loss_ += std::abs(sum_) >= std::abs(value) ? (sum_ - total) + value : (value - total) + sum_;
    sum_ = total;
    magnitude_ += std::abs(value);
    ++terms_;
  }
  long double value() const { return sum_ + loss_; }
  long double magnitude() const { return magnitude_; }
  std::int64_t terms() const { return terms_; }

 private:
  long double sum_ = 0, loss_ = 0, magnitude_ = 0;
  std::int64_t terms_ = 0;
};

/// Checks the one output `role`, canonical vector of `sums.size()` elements. Every element must be finite. Exact fill:
/// equality, after making sure that magnitudes stay within 2^24 (f64: 2^53). Else
/// |error| <= min(c (4 + 2 sqrt(K)), K) u sum|x|, with c = Algorithm::bound_constant and K the terms of that output.
std::unique_ptr<Reference> make_sums_reference(const Inputs& inputs, DataType type, std::vector<ReferenceSum> sums);

/// The fill of summands, `terms` of them at most in one output. exact: integers up to 8 in magnitude, so sparse that
/// the expected sum of magnitudes is a quarter of what stays exact. rounding: normal deviates. wide: exponents of +-30.
FillSpec summand_fill(const Inputs& inputs, std::string stream, DataType type, std::int64_t terms);

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
