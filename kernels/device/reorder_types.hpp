// Copying an element from one type to another, the same on the host and on a GPU: widening is exact, narrowing rounds once
// to nearest even.
#pragma once

#include "kernels/tensor/stored_types.hpp"

namespace detbench::reorder {

struct F64 {
  using Stored = double;
};
/// Any type of a given size, moved as bits.
template <class T>
struct Word {
  using Stored = T;
};

/// An f64 as an f32 that has not been rounded away from it: cut off, with the last bit set where something was cut off. An
/// f32 has two bits and more beyond f16 and bf16, so what rounds this to them rounds the f64 (Boldo and Melquiond 2008).
DETBENCH_HOST_DEVICE inline float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (!(value == value) || static_cast<double>(nearest) == value) return nearest;
  std::uint32_t bits = float_bits(nearest);
  const std::uint32_t sign = bits & 0x80000000u;
  const double size = value < 0 ? -value : value, nearest_size = static_cast<double>(float_from_bits(bits & 0x7FFFFFFFu));
  if (nearest_size > size) bits -= 1;  // magnitudes of floats are ordered as their bits are; infinity becomes the largest number
  return float_from_bits(bits | 1u | sign);
}

template <class From, class To>
struct Convert {
  DETBENCH_HOST_DEVICE typename To::Stored operator()(typename From::Stored value) const {
    constexpr bool from_f64 = std::is_same_v<From, F64>, to_f64 = std::is_same_v<To, F64>;
    if constexpr (std::is_same_v<From, To>) {
      return value;
    } else if constexpr (from_f64 && std::is_same_v<To, F32>) {
      return static_cast<float>(value);
    } else if constexpr (from_f64) {
      return To::narrow(round_to_odd(value));
    } else if constexpr (to_f64) {
      return static_cast<double>(From::widen(value));
    } else {
      return To::narrow(From::widen(value));
    }
  }
};

constexpr bool is_converted(DataType type) {
  return type == DataType::f32 || type == DataType::f64 || type == DataType::f16 || type == DataType::bf16;
}

/// Calls f with the Convert of a pair. Types that differ have to be floating-point ones.
template <class F>
auto with_conversion(DataType from, DataType to, F&& f) {
  const auto from_type = [&](auto target) {
    using To = decltype(target);
    switch (from) {
      case DataType::f64: return f(Convert<F64, To>{});
      case DataType::f16: return f(Convert<F16, To>{});
      case DataType::bf16: return f(Convert<Bf16, To>{});
      default: return f(Convert<F32, To>{});
    }
  };
  if (from == to) switch (size_of(to)) {
      case 1: return f(Convert<Word<std::uint8_t>, Word<std::uint8_t>>{});
      case 2: return f(Convert<Word<std::uint16_t>, Word<std::uint16_t>>{});
      case 4: return f(Convert<Word<std::uint32_t>, Word<std::uint32_t>>{});
      default: return f(Convert<Word<std::uint64_t>, Word<std::uint64_t>>{});
    }
  switch (to) {
    case DataType::f64: return from_type(F64{});
    case DataType::f16: return from_type(F16{});
    case DataType::bf16: return from_type(Bf16{});
    default: return from_type(F32{});
  }
}
template <class Conversion>
struct ConversionTypes;
template <class From, class To>
struct ConversionTypes<Convert<From, To>> {
  using Source = typename From::Stored;
  using Target = typename To::Stored;
};

}  // namespace detbench::reorder
