#include "kernels/reduction/reference_sum.hpp"

#include <algorithm>

namespace detbench::reduction {
namespace {

struct Precision {
  int digits, smallest_exponent, largest_exponent;  ///< exponents of the leading digit of normal numbers
};

Precision precision_of(DataType type) {
  switch (type) {
    case DataType::f64: return {53, -1022, 1023};
    case DataType::f16: return {11, -14, 15};
    case DataType::bf16: return {8, -126, 127};
    default: return {24, -126, 127};
  }
}

/// Exponent of the last digit that the type keeps of a number of this magnitude.
int last_digit(long double value, const Precision& precision) {
  const int leading = value == 0 ? precision.smallest_exponent : std::ilogb(value);
  return std::max(leading, precision.smallest_exponent) - precision.digits + 1;
}

bool last_bit_is_even(long double value) {
  int exponent = 0;
  const long double digits = std::ldexp(std::frexp(value, &exponent), LDBL_MANT_DIG);  // an integer
  return std::fmod(digits, 2.0L) == 0;
}

}  // namespace

long double ReferenceSum::rounded_to(DataType type) const {
  // Rounded to odd first: where something is left beside the nearest long double, the last of its 64 bits is made 1 on
  // the side where the exact sum lies. Rounding that to at most 62 digits is rounding the exact sum, ties included
  // (Boldo and Melquiond, IEEE Transactions on Computers 57, 2008).
  const Leading exact = leading();
  const long double odd = exact.loss != 0 && last_bit_is_even(exact.value)
                              ? std::nextafter(exact.value, exact.loss > 0 ? HUGE_VALL : -HUGE_VALL)
                              : exact.value;
  const Precision precision = precision_of(type);
  const int last = last_digit(odd, precision);
  const long double rounded = std::ldexp(std::rint(std::ldexp(odd, -last)), last);  // scaling is exact
  const long double beyond = std::ldexp(1.0L, precision.largest_exponent + 1);
  return std::abs(rounded) < beyond ? rounded : std::copysign(HUGE_VALL, rounded);
}

long double ReferenceSum::unit_at(DataType type) const {
  return std::ldexp(1.0L, last_digit(value(), precision_of(type)));
}

}  // namespace detbench::reduction
