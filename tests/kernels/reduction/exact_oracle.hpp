// The exact sum of floats by means that share nothing with kernels/reduction: a two's-complement number of bytes that
// is added to bit by byte, and rounding by search for the nearest float, comparing exactly.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace detbench::testing {

/// A signed multiple of 2^-1140 of 2400 bits: room for halves of the smallest denormal double and for 2^40 times the
/// largest.
class BigFixed {
 public:
  static constexpr int unit = -1140, bytes = 300;

  /// Adds sign * mantissa * 2^exponent, exponent >= unit.
  void add_scaled(std::int64_t mantissa, int exponent) {
    const int offset = exponent - unit;
    const unsigned __int128 magnitude = static_cast<unsigned __int128>(mantissa < 0 ? -mantissa : mantissa)
                                        << (offset % 8);
    int carry = 0;
    for (int i = offset / 8, k = 0; i < bytes; ++i, ++k) {
      const int digit = k < 16 ? static_cast<int>((magnitude >> (8 * k)) & 0xFF) : 0;
      if (k >= 16 && carry == 0) break;
      const int total = digits_[i] + (mantissa < 0 ? -digit : digit) + carry;
      digits_[i] = static_cast<std::uint8_t>(total & 0xFF);
      carry = total >> 8;
    }
  }
  void add(double value) {
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent);  // exact
    add_scaled(static_cast<std::int64_t>(std::ldexp(fraction, 53)), exponent - 53);
  }
  BigFixed minus(const BigFixed& other) const {
    BigFixed result;
    int borrow = 0;
    for (int i = 0; i < bytes; ++i) {
      const int total = digits_[i] - other.digits_[i] + borrow;
      result.digits_[i] = static_cast<std::uint8_t>(total & 0xFF);
      borrow = total >> 8;
    }
    return result;
  }
  int sign() const {
    if (digits_[bytes - 1] & 0x80) return -1;
    for (std::uint8_t digit : digits_)
      if (digit != 0) return 1;
    return 0;
  }

 private:
  std::array<std::uint8_t, bytes> digits_{};
};

/// The float of type T nearest to `exact`, ties to even, overflow to infinity; +0 for an exact zero. By bisection over
/// the ordered non-negative floats.
template <class T>
T nearest(const BigFixed& exact) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const auto value_of = [](Bits bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  };
  const int sign = exact.sign();
  if (sign == 0) return T(0);
  const BigFixed magnitude = sign > 0 ? exact : BigFixed().minus(exact);
  // Compare 2 * magnitude with the sum of two neighbouring floats: their midpoint without a division.
  BigFixed doubled = magnitude.minus(BigFixed().minus(magnitude));
  const Bits infinity = [] {
    T v = std::numeric_limits<T>::infinity();
    Bits b;
    std::memcpy(&b, &v, sizeof b);
    return b;
  }();
  // The largest float not above the magnitude.
  Bits low = 0, high = infinity;
  while (high - low > 1) {
    const Bits middle = low + (high - low) / 2;
    BigFixed candidate;
    candidate.add(static_cast<double>(value_of(middle)));
    if (magnitude.minus(candidate).sign() >= 0)
      low = middle;
    else
      high = middle;
  }
  BigFixed midpoint;
  midpoint.add(static_cast<double>(value_of(low)));
  if (low + 1 == infinity)  // the next float would be 2^(largest exponent + 1)
    midpoint.add_scaled(1, std::numeric_limits<T>::max_exponent);
  else
    midpoint.add(static_cast<double>(value_of(low + 1)));
  const int above = doubled.minus(midpoint).sign();
  const Bits result = above > 0 || (above == 0 && (low & 1)) ? low + 1 : low;
  return sign > 0 ? value_of(result) : -value_of(result);
}

/// Correctly rounded sum of finite values.
template <class T>
T exact_sum(const std::vector<T>& values) {
  BigFixed total;
  bool all_negative_zero = true;
  for (T value : values) {
    total.add(static_cast<double>(value));
    all_negative_zero = all_negative_zero && value == 0 && std::signbit(value);
  }
  return all_negative_zero ? -T(0) : nearest<T>(total);
}

}  // namespace detbench::testing
