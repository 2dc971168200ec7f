// Floating-point arithmetic of one lane, rounded to nearest even. Every NaN that arithmetic on f32 gives is 0x7fffffff, as on the
// GPU; f64 keeps a NaN's payload, as the host does. `flush` is .ftz: subnormal operands and results become zeros of their sign.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tests/emulated_gpu/number_formats.hpp"

namespace detbench::emulated {

inline float canonical(float value) { return value == value ? value : std::bit_cast<float>(nan_32); }
inline double canonical(double value) { return value; }

inline float flushed(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & 0x7f800000) == 0 ? std::bit_cast<float>(bits & 0x80000000) : value;
}

struct FloatAdd {
  template <class T>
  static T apply(T a, T b) { return canonical(a + b); }
};
struct FloatSubtract {
  template <class T>
  static T apply(T a, T b) { return canonical(a - b); }
};
struct FloatMultiply {
  template <class T>
  static T apply(T a, T b) { return canonical(a * b); }
};
struct FloatDivide {
  template <class T>
  static T apply(T a, T b) { return canonical(a / b); }
};
struct FusedMultiplyAdd {
  template <class T>
  static T apply(T a, T b, T c) { return canonical(std::fma(a, b, c)); }
};
struct Reciprocal {
  template <class T>
  static T apply(T a) { return canonical(T{1} / a); }
};
struct SquareRoot {
  template <class T>
  static T apply(T a) { return canonical(std::sqrt(a)); }
};
struct FloatNegate {
  template <class T>
  static T apply(T a) { return -a; }
};
struct FloatAbsolute {
  template <class T>
  static T apply(T a) { return std::fabs(a); }
};
/// The operand that is a number where the other is none; -0 is less than +0.
template <bool greater, bool spreads_nan>
struct FloatExtreme {
  template <class T>
  static T apply(T a, T b) {
    const bool a_nan = a != a, b_nan = b != b;
    const bool a_first = a < b || (a == b && std::signbit(a));
    const T chosen = a_first != greater ? a : b;
    if constexpr (spreads_nan) return a_nan || b_nan ? nan<T>() : chosen;
    else return a_nan ? (b_nan ? nan<T>() : b) : (b_nan ? a : chosen);
  }
  template <class T>
  static T nan() {
    if constexpr (sizeof(T) == 4) return std::bit_cast<float>(nan_32);
    else return std::bit_cast<double>(0x7fffffffffffffffull);
  }
};

/// The operation with its operands and result changed as modifiers say.
template <class Operation, bool flush, bool saturate>
struct Modified {
  template <class T, class... Rest>
  static T apply(T a, Rest... rest) {
    if constexpr (flush) return finish(flushed(Operation::apply(flushed(a), flushed(rest)...)));
    else return finish(Operation::apply(a, rest...));
  }
  /// .sat: into [0, 1], and a NaN to 0.
  template <class T>
  static T finish(T value) {
    if constexpr (saturate) return value > T{0} ? (value < T{1} ? value : T{1}) : T{0};
    else return value;
  }
};

}  // namespace detbench::emulated
