// cvt: between integers of all widths, floats, f16 and bf16.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/float_operations.hpp"
#include "tests/emulated_gpu/number_formats.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

// ---- integers to integers -----------------------------------------------------------------------------------------------------

template <class To, class From>
struct IntegerCast {
  static To apply(From a) { return static_cast<To>(a); }
};

/// The conversions whose registers are wider than their types, and those that saturate: described by `immediate`.
struct IntegerDescription {
  Type to, from;
  std::uint8_t result_bytes = 0, source_bytes = 0;  ///< of the registers
  bool saturates = false;
  std::uint8_t unused = 0;
};

__int128 value_of(Type type, std::uint64_t bits) {
  const int unused = 64 - 8 * type.bytes;
  return type.is_signed() ? __int128{static_cast<std::int64_t>(bits << unused) >> unused} : static_cast<__int128>(bits << unused >> unused);
}

void convert_described(Warp& warp, const Instruction& in, Mask mask) {
  const auto how = std::bit_cast<IntegerDescription>(in.immediate);
  for_lanes(mask, [&](int lane) {
    const std::uint64_t bits = how.source_bytes == 8 ? warp.source<std::uint64_t>(in.operand[Instruction::s0])[lane]
                                                     : warp.source<std::uint32_t>(in.operand[Instruction::s0])[lane];
    __int128 value = value_of(how.from, bits);
    if (how.saturates) {
      const int width = 8 * how.to.bytes;
      const __int128 one = 1, least = how.to.is_signed() ? -(one << (width - 1)) : 0;
      const __int128 greatest = (one << (how.to.is_signed() ? width - 1 : width)) - 1;
      value = std::clamp(value, least, greatest);
    }
    const auto result = static_cast<std::uint64_t>(value_of(how.to, static_cast<std::uint64_t>(value)));
    if (how.result_bytes == 8) warp.result<std::uint64_t>(in.operand[Instruction::d0])[lane] = result;
    else if (how.result_bytes == 4) warp.result<std::uint32_t>(in.operand[Instruction::d0])[lane] = static_cast<std::uint32_t>(result);
    else warp.result<std::uint32_t>(in.operand[Instruction::d0])[lane] = static_cast<std::uint16_t>(result);
  });
}

template <class From>
Handler integer_cast_to(int bytes) {
  switch (bytes) {
    case 2: return map_handler<IntegerCast<std::uint16_t, From>, std::uint16_t, From>;
    case 4: return map_handler<IntegerCast<std::uint32_t, From>, std::uint32_t, From>;
    default: return map_handler<IntegerCast<std::uint64_t, From>, std::uint64_t, From>;
  }
}

/// f<T>() for the C++ integer of a type.
template <class F>
Handler for_integer(Type type, F f) {
  const bool is_signed = type.is_signed();
  switch (type.bytes) {
    case 1: return is_signed ? f.template operator()<std::int8_t>() : f.template operator()<std::uint8_t>();
    case 2: return is_signed ? f.template operator()<std::int16_t>() : f.template operator()<std::uint16_t>();
    case 4: return is_signed ? f.template operator()<std::int32_t>() : f.template operator()<std::uint32_t>();
    case 8: return is_signed ? f.template operator()<std::int64_t>() : f.template operator()<std::uint64_t>();
    default: return nullptr;
  }
}

Type bits_of(int bytes) { return {Type::Kind::bits, static_cast<std::uint8_t>(bytes)}; }

void decode_integers(Decoding& decoding, Type to, Type from) {
  const bool saturates = decoding.take("sat");
  decoding.expect_operands(2, 2);
  const int result_bytes = decoding.register_bytes(decoding.operand(0));
  const int source_bytes = decoding.operand(1).kind == ptx::Operand::Kind::immediate ? from.bytes : decoding.register_bytes(decoding.operand(1));
  decoding.result(0, 0, bits_of(result_bytes));
  decoding.source(0, 1, bits_of(std::max(2, source_bytes)));
  const bool plain = !saturates && result_bytes == to.bytes && (source_bytes == 8) == (from.bytes == 8);
  if (plain) return decoding.emit(for_integer(from, [&]<class T>() -> Handler { return integer_cast_to<T>(to.bytes); }));
  const IntegerDescription how{to, from, static_cast<std::uint8_t>(result_bytes), static_cast<std::uint8_t>(source_bytes), saturates, 0};
  decoding.out.immediate = std::bit_cast<std::int64_t>(how);
  decoding.emit(convert_described);
}

// ---- floats to integers -------------------------------------------------------------------------------------------------------

template <Rounding rounding, class T>
T rounded_to_integer(T value) {
  switch (rounding) {
    case Rounding::nearest: return std::nearbyint(value);
    case Rounding::zero: return std::trunc(value);
    case Rounding::down: return std::floor(value);
    default: return std::ceil(value);
  }
}

/// Values beyond the type's range become its ends. A NaN becomes 0, or where one of the two has 64 bits, the highest bit alone.
template <Rounding rounding, class To, class From>
struct FloatToInteger {
  static To apply(From a) {
    if (a != a) return sizeof(To) == 8 || sizeof(From) == 8 ? static_cast<To>(std::make_unsigned_t<To>{1} << (8 * sizeof(To) - 1)) : To{0};
    const From whole = rounded_to_integer<rounding>(a);
    const From beyond = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * 2;  // a power of two
    if (whole >= beyond) return std::numeric_limits<To>::max();
    if (whole < static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return static_cast<To>(whole);
  }
};

const std::initializer_list<std::string_view> integer_roundings = {"rni", "rzi", "rmi", "rpi"};  // in the order of Rounding
const std::initializer_list<std::string_view> float_roundings = {"rn", "rz", "rm", "rp"};

template <class From>
Handler float_to_integer(Type to, int rounding) {
  return for_integer(to, [rounding]<class To>() -> Handler {
    if constexpr (sizeof(To) == 1) return nullptr;
    else {
      static constexpr Handler handlers[] = {
          map_handler<FloatToInteger<Rounding::nearest, To, From>, To, From>, map_handler<FloatToInteger<Rounding::zero, To, From>, To, From>,
          map_handler<FloatToInteger<Rounding::down, To, From>, To, From>, map_handler<FloatToInteger<Rounding::up, To, From>, To, From>};
      return handlers[rounding];
    }
  });
}

void emit_same_widths(Decoding& decoding, Type to, Type from, Handler handler) {
  decoding.expect_operands(2, 2);
  if (decoding.operand(0).kind != ptx::Operand::Kind::sink && decoding.register_bytes(decoding.operand(0)) != std::max<int>(2, to.bytes)) {
    decoding.unsupported("its result's register has another width");
  }
  decoding.result(0, 0, to);
  decoding.source(0, 1, from);
  decoding.emit(handler);
}

void decode_float_to_integer(Decoding& decoding, Type to, Type from) {
  const int rounding = decoding.take_one_of(integer_roundings);
  decoding.take("sat");  // what happens anyway
  if (rounding < 0 || from.bytes < 4) decoding.unsupported();
  emit_same_widths(decoding, to, from, from.bytes == 4 ? float_to_integer<float>(to, rounding) : float_to_integer<double>(to, rounding));
}

// ---- integers to floats -------------------------------------------------------------------------------------------------------

/// `value` rounded to nearest, moved to the neighbour where another rounding asks for it.
template <Rounding rounding>
float narrowed(double value) {
  const auto nearest = static_cast<float>(value);
  if (rounding == Rounding::nearest || value != value || static_cast<double>(nearest) == value) return nearest;
  const bool too_great = static_cast<double>(nearest) > value;
  const bool down = rounding == Rounding::down || (rounding == Rounding::zero && value > 0);
  if (too_great == down) return std::nextafter(nearest, down ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity());
  return nearest;
}

template <class To, class From>
struct IntegerToFloat {
  static To apply(From a) { return static_cast<To>(a); }
};
template <Rounding rounding, class From>
struct IntegerToFloatDirected {
  static float apply(From a) { return narrowed<rounding>(static_cast<double>(a)); }  // exact up to 32 bits
};

void decode_integer_to_float(Decoding& decoding, Type to, Type from) {
  const int rounding = decoding.take_one_of(float_roundings);
  if (rounding < 0 || to.bytes < 4) decoding.unsupported();
  emit_same_widths(decoding, to, from, for_integer(from, [&]<class T>() -> Handler {
                     if constexpr (sizeof(T) == 1) return nullptr;
                     if (rounding == 0) return to.bytes == 4 ? map_handler<IntegerToFloat<float, T>, float, T> : map_handler<IntegerToFloat<double, T>, double, T>;
                     if (sizeof(T) == 8) return nullptr;
                     if (to.bytes == 8) return map_handler<IntegerToFloat<double, T>, double, T>;
                     static constexpr Handler handlers[] = {nullptr, map_handler<IntegerToFloatDirected<Rounding::zero, T>, float, T>,
                                                            map_handler<IntegerToFloatDirected<Rounding::down, T>, float, T>,
                                                            map_handler<IntegerToFloatDirected<Rounding::up, T>, float, T>};
                     return handlers[rounding];
                   }));
}

// ---- floats to floats ---------------------------------------------------------------------------------------------------------

template <Rounding rounding>
struct Narrow {
  static float apply(double a) { return canonical(narrowed<rounding>(a)); }
};
struct Widen {
  static double apply(float a) { return a; }
};
struct SameFloat {
  template <class T>
  static T apply(T a) { return canonical(a); }
};
template <Rounding rounding>
struct ToInteger {
  template <class T>
  static T apply(T a) { return canonical(rounded_to_integer<rounding>(a)); }
};
template <class Format, class To>
struct From16 {
  static To apply(std::uint16_t a) { return static_cast<To>(float_of_16<Format>(a)); }
};
template <class Format, class From, Rounding rounding, bool rectified>
struct To16 {
  static std::uint16_t apply(From a) {
    const std::uint16_t bits = rounded_16<Format>(a, rounding);
    return rectified && (bits & 0x8000) != 0 ? 0 : bits;
  }
};

template <class Format>
Handler to_16(Type from, int rounding, bool rectified) {
  const auto choose = [&]<class From>() -> Handler {
    if (rounding == 0) return rectified ? map_handler<To16<Format, From, Rounding::nearest, true>, std::uint16_t, From> : map_handler<To16<Format, From, Rounding::nearest, false>, std::uint16_t, From>;
    if (rounding == 1) return rectified ? map_handler<To16<Format, From, Rounding::zero, true>, std::uint16_t, From> : map_handler<To16<Format, From, Rounding::zero, false>, std::uint16_t, From>;
    return nullptr;
  };
  if (from.bytes == 4) return choose.template operator()<float>();
  return from.bytes == 8 && !rectified ? choose.template operator()<double>() : nullptr;
}

/// cvt.f16x2.f32 d, a, b: a in the upper half.
template <class Format, Rounding rounding>
struct PackTwo {
  static std::uint32_t apply(float a, float b) {
    return static_cast<std::uint32_t>(rounded_16<Format>(a, rounding)) << 16 | rounded_16<Format>(b, rounding);
  }
};

void decode_packed(Decoding& decoding, Type to, Type from) {
  const int rounding = decoding.take_one_of({"rn", "rz"});
  if (rounding < 0 || from != Type{Type::Kind::floating, 4}) decoding.unsupported();
  decoding.expect_operands(3, 3);
  decoding.result(0, 0, to);
  decoding.source(0, 1, from);
  decoding.source(1, 2, from);
  using N = std::uint32_t;
  static constexpr Handler handlers[2][2] = {
      {map_handler<PackTwo<HalfFormat, Rounding::nearest>, N, float, float>, map_handler<PackTwo<HalfFormat, Rounding::zero>, N, float, float>},
      {map_handler<PackTwo<BrainFormat, Rounding::nearest>, N, float, float>, map_handler<PackTwo<BrainFormat, Rounding::zero>, N, float, float>}};
  decoding.emit(handlers[to.kind == Type::Kind::packed_brain][rounding]);
}

template <class T>
Handler to_integer_float(int rounding) {
  static constexpr Handler handlers[] = {map_handler<ToInteger<Rounding::nearest>, T, T>, map_handler<ToInteger<Rounding::zero>, T, T>,
                                         map_handler<ToInteger<Rounding::down>, T, T>, map_handler<ToInteger<Rounding::up>, T, T>};
  return handlers[rounding];
}

/// .ftz and .sat among f32, both rare.
template <class Operation, class Source>
Handler f32_result(bool flush, bool saturate) {
  if constexpr (sizeof(Source) == 4) {
    if (flush) return saturate ? map_handler<Modified<Operation, true, true>, float, Source> : map_handler<Modified<Operation, true, false>, float, Source>;
  } else if (flush) {
    return nullptr;
  }
  if (saturate) return sizeof(Source) == 4 ? map_handler<Modified<Operation, false, true>, float, Source> : nullptr;
  return map_handler<Operation, float, Source>;
}

void decode_floats(Decoding& decoding, Type to, Type from) {
  const bool half = to.bytes == 2 || from.bytes == 2;
  if (half) {
    if (to.bytes == 2 && from.bytes == 2) decoding.unsupported();
    if (from.bytes == 2) {
      const bool brain = from.kind == Type::Kind::brain;
      using N = std::uint16_t;
      const Handler to_f32 = brain ? map_handler<From16<BrainFormat, float>, float, N> : map_handler<From16<HalfFormat, float>, float, N>;
      const Handler to_f64 = brain ? map_handler<From16<BrainFormat, double>, double, N> : map_handler<From16<HalfFormat, double>, double, N>;
      return emit_same_widths(decoding, to, from, to.bytes == 4 ? to_f32 : to_f64);
    }
    const int rounding = decoding.take_one_of({"rn", "rz"});
    const bool rectified = decoding.take("relu");
    if (rounding < 0) decoding.unsupported();
    return emit_same_widths(decoding, to, from, to.kind == Type::Kind::brain ? to_16<BrainFormat>(from, rounding, rectified) : to_16<HalfFormat>(from, rounding, rectified));
  }
  const bool flush = decoding.take("ftz"), saturate = decoding.take("sat");
  if (to.bytes == 8 && (flush || saturate)) decoding.unsupported();
  if (to.bytes == from.bytes) {
    const int rounding = decoding.take_one_of(integer_roundings);
    if (rounding < 0) {
      return emit_same_widths(decoding, to, from, to.bytes == 4 ? f32_result<SameFloat, float>(flush, saturate) : map_handler<SameFloat, double, double>);
    }
    if (flush || saturate) decoding.unsupported();
    return emit_same_widths(decoding, to, from, to.bytes == 4 ? to_integer_float<float>(rounding) : to_integer_float<double>(rounding));
  }
  if (to.bytes == 8) return emit_same_widths(decoding, to, from, map_handler<Widen, double, float>);
  const int rounding = decoding.take_one_of(float_roundings);
  if (rounding < 0 || flush || saturate) decoding.unsupported();
  static constexpr Handler handlers[] = {map_handler<Narrow<Rounding::nearest>, float, double>, map_handler<Narrow<Rounding::zero>, float, double>,
                                         map_handler<Narrow<Rounding::down>, float, double>, map_handler<Narrow<Rounding::up>, float, double>};
  emit_same_widths(decoding, to, from, handlers[rounding]);
}

void decode_convert(Decoding& decoding) {
  const Type to = decoding.take_type(), from = decoding.take_type();
  using Kind = Type::Kind;
  if (to.kind == Kind::packed_floating || to.kind == Kind::packed_brain) return decode_packed(decoding, to, from);
  const bool to_float = to.is_float() || to.kind == Kind::brain, from_float = from.is_float() || from.kind == Kind::brain;
  if (to_float && from_float) return decode_floats(decoding, to, from);
  if ((!to_float && !to.is_integer()) || (!from_float && !from.is_integer())) decoding.unsupported();
  if (to_float) return decode_integer_to_float(decoding, to, from);
  if (from_float) return decode_float_to_integer(decoding, to, from);
  decode_integers(decoding, to, from);
}

}  // namespace

void add_convert_decoders(DecoderTable& table) { table["cvt"] = decode_convert; }

}  // namespace detbench::emulated
