// One exact answer of a reduction, and how far an output is from it.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/reduction/summands.hpp"
#include "kernels/reduction/superaccumulator.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench::reduction {

/// A sum that loses nothing: the parts of a non-overlapping expansion (Shewchuk, Discrete & Computational Geometry 18,
/// 1997), whose own sum is the sum of all that was added. Exact for everything that double can hold and for products of
/// two such: long double has 64 digits and exponents far beyond theirs. Most sums need one part, so it is small enough
/// for one per bin.
class ReferenceSum {
 public:
  /// Adds `value` exactly.
  void add(long double value) {
    deposit_part(value);
    magnitude_ += std::abs(value);
    ++terms_;
  }

  /// Adds x * y exactly.
  void add_product(double x, double y) {
    // Two halves of at most 27 digits: all four products have 54 and are exact.
    const double x_high = static_cast<float>(x) == x ? x : high_half(x), y_high = static_cast<float>(y) == y ? y : high_half(y);
    const long double x_low = x - x_high, y_low = y - y_high;
    deposit_part(static_cast<long double>(x_high) * y_high);
    if (y_low != 0) deposit_part(x_high * y_low);
    if (x_low != 0) deposit_part(x_low * y_high);
    if (x_low != 0 && y_low != 0) deposit_part(x_low * y_low);
    magnitude_ += std::abs(static_cast<long double>(x) * y);
    ++terms_;
  }

  /// The exact sum of n summands of a source (summands.hpp), by superaccumulators that the caller's OpenMP threads fill.
  template <class Source>
  static ReferenceSum of(const Source& source, std::int64_t n);

  /// The nearest long double; of two, either.
  long double value() const { return leading().value; }
  /// `output` minus the exact sum, rounded once to long double.
  long double error_of(long double output) const {
    ReferenceSum difference = *this;
    difference.deposit_part(-output);
    return -difference.value();
  }
  /// The exact sum rounded once to a type of f32, f64, f16, bf16: nearest even, denormals kept, overflow to infinity.
  long double rounded_to(DataType type) const;
  /// The unit in the last place that the type has at the exact sum; below the normal numbers that of the denormals.
  long double unit_at(DataType type) const;
  /// Sum of the summands' magnitudes, good to some 60 digits less a few.
  long double magnitude() const { return magnitude_; }
  std::int64_t terms() const { return terms_; }

 private:
  static double high_half(double x) {
    std::uint64_t bits = bits_of(x) & ~std::uint64_t{0x7FFFFFF};  // 26 digits stay, 27 go
    return value_of<double>(bits);
  }

  struct Leading {
    long double value;  ///< the nearest long double
    long double loss;   ///< its sign is that of the exact sum less `value`; 0: they are equal
  };
  /// Parts do not overlap, yet the largest need not have 64 digits: smaller ones are taken in until one does not fit.
  Leading leading() const {
    Leading top{first_, 0};
    for (auto part = rest_.rbegin(); part != rest_.rend() && top.loss == 0; ++part) top.loss = add_exactly(top.value, *part);
    return top;
  }

  /// Knuth's exact addition, part by part from the smallest to the largest.
  void deposit_part(long double value) {
    std::size_t kept = 0;
    for (const long double part : rest_) {
      const long double loss = add_exactly(value, part);
      if (loss != 0) rest_[kept++] = loss;
    }
    const long double loss = add_exactly(value, first_);
    rest_.resize(kept);
    if (loss != 0) rest_.push_back(loss);
    first_ = value;
    if (first_ == 0 && !rest_.empty()) {
      first_ = rest_.back();
      rest_.pop_back();
    }
  }
  /// value becomes the rounded sum; what was lost is returned.
  static long double add_exactly(long double& value, long double part) {
    const long double sum = value + part, of_part = sum - value;
    const long double loss = (value - (sum - of_part)) + (part - of_part);
    value = sum;
    return loss;
  }

  template <class R>
  void deposit_register(std::int64_t* slots) {
    carry_limbs(slots, Superaccumulator<R>::limbs);
    for (int limb = 0; limb < Superaccumulator<R>::limbs; ++limb)
      if (slots[limb] != 0)
        deposit_part(std::ldexp(static_cast<long double>(slots[limb]), 32 * limb + RegisterFormat<R>::unit_exponent));
  }

  long double first_ = 0;           ///< the largest part
  std::vector<long double> rest_;  ///< the others, smallest first
  long double magnitude_ = 0;
  std::int64_t terms_ = 0;
};
static_assert(LDBL_MANT_DIG >= 64 && LDBL_MAX_EXP > 2 * DBL_MAX_EXP + 64, "the exact reference needs a long double beyond double");

template <class Source>
ReferenceSum ReferenceSum::of(const Source& source, std::int64_t n) {
  using Accumulator = typename Source::Accumulator;
  using R = std::conditional_t<Source::is_product, ExactProduct<Accumulator>, Accumulator>;
  using Slots = Superaccumulator<R>;
  ReferenceSum total;
#pragma omp parallel
  {
    std::int64_t slots[Slots::slots] = {};
    const auto add = [&slots](int slot, std::int64_t amount) { slots[slot] += amount; };
    std::int64_t deposits = 0;
    long double magnitude = 0;
#pragma omp for schedule(static) nowait
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (!Source::is_product) {
        deposit<R>(source.at(i), add);
        magnitude += std::abs(source.at(i));
      } else if constexpr (has_wide<Source>) {
        deposit<R>(source.wide(i), add);
        magnitude += std::abs(source.wide(i));
      } else {
        deposit_product(source.x[i], source.y[i], add);
        magnitude += std::abs(static_cast<long double>(source.x[i]) * source.y[i]);
      }
      if (++deposits == Slots::deposits_before_carry) {
        carry_limbs(slots, Slots::limbs);
        deposits = 0;
      }
    }
#pragma omp critical(detbench_reference_sum)
    {
      total.deposit_register<R>(slots);
      total.magnitude_ += magnitude;
    }
  }
  total.terms_ = n;
  return total;
}

}  // namespace detbench::reduction
