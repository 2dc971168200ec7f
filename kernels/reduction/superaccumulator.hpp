// An exact sum of floats: fixed-point numbers so wide that every finite float of the type is a whole number of units,
// kept as 32-bit digits in signed 64-bit limbs. Integer addition is associative and commutative, so the order of
// deposits, the number of threads and atomics cannot change the state; it is rounded once, to nearest even, at the end.
// The idea is Kulisch's long accumulator; splitting into overlapping limbs that carry late is as in ExBLAS
// (Collange, Defour, Graillat, Iakymchuk, Parallel Computing 49, 2015).
//
// Everything works on a plain array of limbs and on a callable that adds to a limb, so the same code runs with private
// limbs, OpenMP atomics and CUDA atomics.
#pragma once

#include <cstdint>

#include "kernels/reduction/summands.hpp"
#include "kernels/tensor/host_device.hpp"

namespace detbench::reduction {

template <class T>
struct FloatFormat;
template <>
struct FloatFormat<float> {
  using Bits = std::uint32_t;
  static constexpr int fraction_bits = 23, exponent_bits = 8, bias = 127;
};
template <>
struct FloatFormat<double> {
  using Bits = std::uint64_t;
  static constexpr int fraction_bits = 52, exponent_bits = 11, bias = 1023;
};

template <>
struct FloatFormat<F16Bits> {
  using Bits = std::uint16_t;
  static constexpr int fraction_bits = 10, exponent_bits = 5, bias = 15;
};
template <>
struct FloatFormat<Bf16Bits> {
  using Bits = std::uint16_t;
  static constexpr int fraction_bits = 7, exponent_bits = 8, bias = 127;
};

/// Exact products of two T: what a dot product adds up. Stands where a type of summands is named.
template <class T>
struct ExactProduct {};

/// How wide an accumulator for summands of type R is: limb 0 has unit 2^unit_exponent, and all limbs together leave room for
/// 2^40 of the largest summands, a sign, and carries. `Rounded` is the type of the result.
template <class R>
struct RegisterFormat;
template <>
struct RegisterFormat<float> {  // denormals from 2^-149, 12 limbs reach 2^224
  using Rounded = float;
  static constexpr int unit_exponent = -160, limbs = 12;
};
template <>
struct RegisterFormat<double> {  // from 2^-1074; 70 limbs reach 2^1152
  using Rounded = double;
  static constexpr int unit_exponent = -1088, limbs = 70;
};
template <>
struct RegisterFormat<ExactProduct<float>> {  // from 2^-298 (bf16 from 2^-266), below 2^256; 20 limbs reach 2^320
  using Rounded = float;
  static constexpr int unit_exponent = -320, limbs = 20;
};
template <>
struct RegisterFormat<ExactProduct<double>> {  // from 2^-2148, below 2^2048; 134 limbs reach 2^2112
  using Rounded = double;
  static constexpr int unit_exponent = -2176, limbs = 134;
};

/// Slots of an accumulator for summands R: the limbs, then counters of what has no place in a fixed-point number.
template <class R>
struct Superaccumulator {
  using Format = RegisterFormat<R>;
  using Rounded = typename Format::Rounded;
  static constexpr int limbs = Format::limbs;
  static constexpr int nan_slot = limbs;
  static constexpr int positive_infinity_slot = limbs + 1;
  static constexpr int negative_infinity_slot = limbs + 2;
  /// Counts summands other than -0.0: a sum that is exactly zero is -0.0 only when every summand is (IEEE 754-2019,
  /// section 6.3, applied to the whole sum).
  static constexpr int not_negative_zero_slot = limbs + 3;
  static constexpr int slots = limbs + 4;
  /// One deposit adds less than 2^32 to a limb so this many fit before carries must move.
  static constexpr std::int64_t deposits_before_carry = std::int64_t{1} << 30;
};

template <class T>
DETBENCH_HOST_DEVICE inline typename FloatFormat<T>::Bits bits_of(T value) {
  typename FloatFormat<T>::Bits bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
template <class T>
DETBENCH_HOST_DEVICE inline T value_of(typename FloatFormat<T>::Bits bits) {
  T value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/// Adds significand * 2^position units (2^unit_exponent) to a fixed-point number: `add(limb, amount)` is called for
/// each limb it touches, at most three. The significand is below 2^63.
template <class Add>
DETBENCH_HOST_DEVICE inline void add_digits(std::uint64_t significand, int position, bool negative, Add&& add) {
  const int limb = position >> 5, shift = position & 31;
  const std::uint64_t low = (significand & 0xFFFFFFFFu) << shift;           // below 2^63
  const std::uint64_t high = ((significand >> 32) << shift) + (low >> 32);  // below 2^62 + 2^31
  const auto first = static_cast<std::int64_t>(low & 0xFFFFFFFFu);
  const auto second = static_cast<std::int64_t>(high & 0xFFFFFFFFu);
  const auto third = static_cast<std::int64_t>(high >> 32);
  if (first != 0) add(limb, negative ? -first : first);
  if (second != 0) add(limb + 1, negative ? -second : second);
  if (third != 0) add(limb + 2, negative ? -third : third);
}

/// Where the last place of a V with this biased exponent lies in the accumulator of summands R; V as below.
template <class R, class V = R>
DETBENCH_HOST_DEVICE constexpr int last_place(int biased_exponent) {
  return (biased_exponent != 0 ? biased_exponent : 1) - FloatFormat<V>::bias - FloatFormat<V>::fraction_bits -
         RegisterFormat<R>::unit_exponent;
}

/// Adds `value` exactly to the accumulator of summands R: `add(slot, amount)` is called for each slot it touches.
/// V is R itself, or double for products of f32 and for partial sums that are whole multiples of the smallest summand.
/// Zeros touch nothing; not_negative_zero_slot is the caller's, who often knows it for many summands at once.
template <class R, class V, class Add>
DETBENCH_HOST_DEVICE inline void deposit(V value, Add&& add) {
  using Source = FloatFormat<V>;
  using Slots = Superaccumulator<R>;
  const auto bits = bits_of(value);
  const bool negative = bits >> (sizeof(V) * 8 - 1) != 0;
  const auto fraction_mask = (typename Source::Bits{1} << Source::fraction_bits) - 1;
  const int exponent_mask = (1 << Source::exponent_bits) - 1;
  const int exponent = static_cast<int>(bits >> Source::fraction_bits) & exponent_mask;
  std::uint64_t significand = bits & fraction_mask;
  if (exponent == exponent_mask) {
    add(significand != 0 ? Slots::nan_slot
        : negative       ? Slots::negative_infinity_slot
                         : Slots::positive_infinity_slot,
        std::int64_t{1});
    return;
  }
  if (exponent != 0) significand |= std::uint64_t{1} << Source::fraction_bits;
  add_digits(significand, last_place<R, V>(exponent), negative, add);
}

/// Adds x * y exactly, a number of 106 bits, whatever over- or underflows in double. Counts as two deposits.
template <class Add>
DETBENCH_HOST_DEVICE inline void deposit_product(double x, double y, Add&& add) {
  using Slots = Superaccumulator<ExactProduct<double>>;
  constexpr int bias = FloatFormat<double>::bias, fraction_bits = FloatFormat<double>::fraction_bits, beyond = 2 * bias + 1;
  const std::uint64_t x_bits = bits_of(x), y_bits = bits_of(y), fraction_mask = (std::uint64_t{1} << fraction_bits) - 1;
  const int x_exponent = static_cast<int>(x_bits >> fraction_bits) & beyond;
  const int y_exponent = static_cast<int>(y_bits >> fraction_bits) & beyond;
  const bool negative = (x_bits ^ y_bits) >> 63 != 0;
  if (x_exponent == beyond || y_exponent == beyond) {
    const bool nan = x != x || y != y || x == 0 || y == 0;  // infinity * 0 is none
    add(nan ? Slots::nan_slot : negative ? Slots::negative_infinity_slot : Slots::positive_infinity_slot, std::int64_t{1});
    return;
  }
  const std::uint64_t a = (x_bits & fraction_mask) | static_cast<std::uint64_t>(x_exponent != 0) << fraction_bits;
  const std::uint64_t b = (y_bits & fraction_mask) | static_cast<std::uint64_t>(y_exponent != 0) << fraction_bits;
  // a * b by halves of 32 bits, then cut into 62 bits and the 44 above them.
  const std::uint64_t a_low = a & 0xFFFFFFFFu, a_high = a >> 32, b_low = b & 0xFFFFFFFFu, b_high = b >> 32;
  const std::uint64_t low = a_low * b_low;
  const std::uint64_t middle = a_high * b_low + a_low * b_high + (low >> 32);  // below 3 * 2^53
  const std::uint64_t top = a_high * b_high + (middle >> 32), bottom = middle << 32 | (low & 0xFFFFFFFFu);
  const int position = (x_exponent != 0 ? x_exponent : 1) + (y_exponent != 0 ? y_exponent : 1) -
                       2 * (bias + fraction_bits) - RegisterFormat<ExactProduct<double>>::unit_exponent;
  add_digits(bottom & ((std::uint64_t{1} << 62) - 1), position, negative, add);
  add_digits(top << 2 | bottom >> 62, position + 62, negative, add);
}

/// The type of summands that a source's accumulator is made for.
template <class Source>
struct RegisterOf;
template <class S>
struct RegisterOf<Elements<S>> {
  using Type = typename Elements<S>::Accumulator;
};
template <class S>
struct RegisterOf<Products<S>> {
  using Type = ExactProduct<typename Products<S>::Accumulator>;
};
template <class Source>
using register_of = typename RegisterOf<Source>::Type;

/// Adds summand i of a source exactly (f32 and 16-bit summands, wide, as double), two deposits at most, and says whether it
/// is other than -0.0.
template <class Source, class Add>
DETBENCH_HOST_DEVICE inline bool deposit_summand(const Source& source, std::int64_t i, Add&& add) {
  if constexpr (has_wide<Source>) {
    const double value = source.wide(i);
    deposit<register_of<Source>>(value, add);
    return bits_of(value) != std::uint64_t{1} << 63;
  } else if constexpr (Source::is_product) {
    const double x = source.x[i], y = source.y[i];
    deposit_product(x, y, add);
    return (x != 0 && y != 0) || (bits_of(x) ^ bits_of(y)) >> 63 == 0;
  } else {
    deposit<register_of<Source>>(source.x[i], add);
    return bits_of(source.x[i]) != std::uint64_t{1} << 63;
  }
}

/// Moves carries up: limbs below the last become digits in [0, 2^32), the last keeps the sign. The value stays.
DETBENCH_HOST_DEVICE inline void carry_limbs(std::int64_t* limbs, int count) {
  std::int64_t carry = 0;
  for (int i = 0; i + 1 < count; ++i) {
    const std::int64_t value = limbs[i] + carry;
    limbs[i] = value & 0xFFFFFFFF;
    carry = value >> 32;
  }
  limbs[count - 1] += carry;
}

/// The accumulator's value rounded once to T (R's result type), nearest even: denormals and overflow to infinity as
/// IEEE 754 asks. An infinity of one sign wins over finite summands; both signs, or any NaN, give the positive quiet NaN.
/// Changes the limbs (carries move).
template <class R, class T = typename RegisterFormat<R>::Rounded>
DETBENCH_HOST_DEVICE inline T rounded_sum(std::int64_t* slots) {
  using Slots = Superaccumulator<R>;
  using Format = FloatFormat<T>;
  using Bits = typename Format::Bits;
  constexpr int fraction_bits = Format::fraction_bits;
  constexpr Bits infinity = static_cast<Bits>((Bits{1} << Format::exponent_bits) - 1) << fraction_bits;
  constexpr Bits sign_bit = Bits{1} << (sizeof(T) * 8 - 1);

  const bool positive_infinity = slots[Slots::positive_infinity_slot] != 0;
  const bool negative_infinity = slots[Slots::negative_infinity_slot] != 0;
  if (slots[Slots::nan_slot] != 0 || (positive_infinity && negative_infinity))
    return value_of<T>(infinity | Bits{1} << (fraction_bits - 1));
  if (positive_infinity) return value_of<T>(infinity);
  if (negative_infinity) return value_of<T>(infinity | sign_bit);

  carry_limbs(slots, Slots::limbs);
  const bool negative = slots[Slots::limbs - 1] < 0;
  if (negative) {
    for (int i = 0; i < Slots::limbs; ++i) slots[i] = -slots[i];
    carry_limbs(slots, Slots::limbs);
  }
  int top = Slots::limbs - 1;
  while (top >= 0 && slots[top] == 0) --top;
  if (top < 0) return value_of<T>(slots[Slots::not_negative_zero_slot] != 0 ? Bits{0} : sign_bit);
  int leading = 32 * top - 1;  // position of the leading one, in units of 2^unit_exponent
  for (std::uint64_t digit = static_cast<std::uint64_t>(slots[top]); digit != 0; digit >>= 1) ++leading;

  // The lowest position that the result keeps: a denormal keeps what lies at or above the smallest denormal's.
  constexpr int smallest = 1 - Format::bias - fraction_bits - RegisterFormat<R>::unit_exponent;
  const int lowest = leading - fraction_bits > smallest ? leading - fraction_bits : smallest;
  const auto bit_at = [&](int position) { return static_cast<Bits>(slots[position >> 5] >> (position & 31) & 1); };
  Bits significand = 0;
  for (int position = leading; position >= lowest; --position) significand = significand << 1 | bit_at(position);
  const Bits half = bit_at(lowest - 1);
  bool below_half = false;
  for (int position = lowest - 2; position >= 0 && !below_half; --position) below_half = bit_at(position) != 0;
  if (half != 0 && (below_half || (significand & 1) != 0)) ++significand;

  // lowest - smallest is the biased exponent minus 1 of a normal number; the leading one of the significand, present in
  // every normal number and absent in a denormal, adds the 1, and a carry out of the significand adds another.
  const auto exponent = static_cast<std::uint64_t>(lowest - smallest);
  const std::uint64_t magnitude = (exponent << fraction_bits) + significand;
  const Bits bits = magnitude >= infinity || exponent >= (std::uint64_t{1} << Format::exponent_bits)
                        ? infinity
                        : static_cast<Bits>(magnitude);
  return value_of<T>(negative ? bits | sign_bit : bits);
}

}  // namespace detbench::reduction
