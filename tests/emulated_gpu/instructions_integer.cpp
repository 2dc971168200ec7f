// Integer arithmetic: wraps around as two's complement does. What PTX leaves open is decided here: a division by zero gives all ones,
// its remainder the dividend, and the least integer divided by -1 is itself.
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
/// The type to compute in without promotion to signed int.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
template <class T>
using Double = std::conditional_t<
    sizeof(T) == 8, std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>>>;

struct Add {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wide<T>>(a) + static_cast<Wide<T>>(b)); }
};
struct Subtract {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wide<T>>(a) - static_cast<Wide<T>>(b)); }
};
struct MultiplyLow {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)); }
};
struct MultiplyHigh {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>((static_cast<Double<T>>(a) * static_cast<Double<T>>(b)) >> (8 * sizeof(T))); }
};
struct MultiplyWide {
  template <class T>
  static Double<T> apply(T a, T b) { return static_cast<Double<T>>(a) * static_cast<Double<T>>(b); }
};
template <class Product>
struct MultiplyThenAdd {
  template <class T, class R>
  static R apply(T a, T b, R c) { return Add::apply(static_cast<R>(Product::apply(a, b)), c); }
};
struct Divide {
  template <class T>
  static T apply(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return Subtract::apply(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
};
struct Remainder {
  template <class T>
  static T apply(T a, T b) {
    if (b == 0) return a;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return static_cast<T>(a % b);
  }
};
struct Minimum {
  template <class T>
  static T apply(T a, T b) { return std::min(a, b); }
};
struct Maximum {
  template <class T>
  static T apply(T a, T b) { return std::max(a, b); }
};
struct Absolute {
  template <class T>
  static T apply(T a) { return a < 0 ? Subtract::apply(T{0}, a) : a; }
};
struct Negate {
  template <class T>
  static T apply(T a) { return Subtract::apply(T{0}, a); }
};
/// c + |a - b|
struct SumOfAbsoluteDifference {
  template <class T>
  static T apply(T a, T b, T c) { return Add::apply(c, a < b ? Subtract::apply(b, a) : Subtract::apply(a, b)); }
};
struct AddSaturating {
  static std::int32_t apply(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(std::int64_t{a} + b, INT32_MIN, INT32_MAX));
  }
};
struct SubtractSaturating {
  static std::int32_t apply(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(std::int64_t{a} - b, INT32_MIN, INT32_MAX));
  }
};

/// f<T>() for the C++ integer of a PTX type of 16, 32 or 64 bits; nullptr for others.
template <class F>
Handler for_integer(Type type, F f) {
  if (!type.is_integer()) return nullptr;
  switch (type.bytes) {
    case 2: return type.is_signed() ? f.template operator()<std::int16_t>() : f.template operator()<std::uint16_t>();
    case 4: return type.is_signed() ? f.template operator()<std::int32_t>() : f.template operator()<std::uint32_t>();
    case 8: return type.is_signed() ? f.template operator()<std::int64_t>() : f.template operator()<std::uint64_t>();
    default: return nullptr;
  }
}

template <class Operation>
Handler two_sources(Type type) {
  return for_integer(type, []<class T>() -> Handler { return map_handler<Operation, T, T, T>; });
}

template <class Operation>
Handler one_source(Type type) {
  return for_integer(type, []<class T>() -> Handler { return map_handler<Operation, T, T>; });
}

Type integer_type(Decoding& decoding) {
  const Type type = decoding.take_type();
  if (!type.is_integer() || type.bytes < 2) decoding.unsupported();
  return type;
}

void emit_two(Decoding& decoding, Type type, Handler handler) {
  decoding.expect_operands(3, 3);
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.emit(handler);
}

void emit_one(Decoding& decoding, Type type, Handler handler) {
  decoding.expect_operands(2, 2);
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  decoding.emit(handler);
}

Type doubled(Type type) { return {type.kind, static_cast<std::uint8_t>(2 * type.bytes)}; }

void decode_multiply(Decoding& decoding) {
  const int part = decoding.take_one_of({"lo", "hi", "wide"});
  const Type type = integer_type(decoding);
  if (part == 0) return emit_two(decoding, type, two_sources<MultiplyLow>(type));
  if (part == 1) return emit_two(decoding, type, two_sources<MultiplyHigh>(type));
  if (part != 2 || type.bytes > 4) decoding.unsupported();
  decoding.expect_operands(3, 3);
  decoding.result(0, 0, doubled(type));
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.emit(for_integer(type, []<class T>() -> Handler {
    if constexpr (sizeof(T) == 8) return nullptr;
    else return map_handler<MultiplyWide, Double<T>, T, T>;
  }));
}

void decode_multiply_add(Decoding& decoding) {
  const int part = decoding.take_one_of({"lo", "hi", "wide"});
  const Type type = integer_type(decoding);
  if (part < 0 || (part == 2 && type.bytes > 4)) decoding.unsupported();
  const Type sum = part == 2 ? doubled(type) : type;
  decoding.expect_operands(4, 4);
  decoding.result(0, 0, sum);
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.source(2, 3, sum);
  decoding.emit(for_integer(type, [part]<class T>() -> Handler {
    if (part == 0) return map_handler<MultiplyThenAdd<MultiplyLow>, T, T, T, T>;
    if (part == 1) return map_handler<MultiplyThenAdd<MultiplyHigh>, T, T, T, T>;
    if constexpr (sizeof(T) == 8) return nullptr;
    else return map_handler<MultiplyThenAdd<MultiplyWide>, Double<T>, T, T, Double<T>>;
  }));
}

/// add.cc, addc, sub.cc, subc: `detail` bit 0 takes the carry in, bit 1 writes it.
template <class T, bool subtract>
void with_carry(Warp& warp, const Instruction& in, Mask mask) {
  const T* const a = warp.source<T>(in.operand[Instruction::s0]);
  const T* const b = warp.source<T>(in.operand[Instruction::s1]);
  T* const result = warp.result<T>(in.operand[Instruction::d0]);
  const bool takes = (in.detail & 1) != 0, writes = (in.detail & 2) != 0;
  for_lanes(mask, [&](int lane) {
    const Mask bit = Mask{1} << lane;
    const unsigned __int128 carry = takes && (warp.carry & bit) != 0 ? 1 : 0;
    const unsigned __int128 wide = subtract ? (unsigned __int128){a[lane]} - b[lane] - carry : (unsigned __int128){a[lane]} + b[lane] + carry;
    result[lane] = static_cast<T>(wide);
    if (writes) warp.carry = (wide >> (8 * sizeof(T)) & 1) != 0 ? warp.carry | bit : warp.carry & ~bit;
  });
}

template <bool subtract>
void emit_with_carry(Decoding& decoding, bool takes, bool writes) {
  const Type type = integer_type(decoding);
  decoding.out.detail = static_cast<std::uint8_t>((takes ? 1 : 0) | (writes ? 2 : 0));
  emit_two(decoding, type, type.bytes == 4 ? with_carry<std::uint32_t, subtract> : type.bytes == 8 ? with_carry<std::uint64_t, subtract> : nullptr);
}

template <class Operation>
void decode_two(Decoding& decoding) {
  const Type type = integer_type(decoding);
  emit_two(decoding, type, two_sources<Operation>(type));
}

}  // namespace

void decode_integer_arithmetic(Decoding& decoding) {
  const std::string& name = decoding.name();
  if (name == "add" || name == "sub") {
    const bool subtract = name == "sub";
    if (decoding.take("cc")) return subtract ? emit_with_carry<true>(decoding, false, true) : emit_with_carry<false>(decoding, false, true);
    const bool saturating = decoding.take("sat");
    const Type type = integer_type(decoding);
    if (saturating) {
      if (!type.is_signed() || type.bytes != 4) decoding.unsupported();
      using S = std::int32_t;
      return emit_two(decoding, type, subtract ? map_handler<SubtractSaturating, S, S, S> : map_handler<AddSaturating, S, S, S>);
    }
    return emit_two(decoding, type, subtract ? two_sources<Subtract>(type) : two_sources<Add>(type));
  }
  if (name == "mul") return decode_multiply(decoding);
  if (name == "mad") return decode_multiply_add(decoding);
  if (name == "div") return decode_two<Divide>(decoding);
  if (name == "min") return decode_two<Minimum>(decoding);
  if (name == "max") return decode_two<Maximum>(decoding);
  const Type type = integer_type(decoding);
  if (name == "abs" && type.is_signed()) return emit_one(decoding, type, one_source<Absolute>(type));
  if (name == "neg" && type.is_signed()) return emit_one(decoding, type, one_source<Negate>(type));
  decoding.unsupported();
}

void add_integer_decoders(DecoderTable& table) {
  table["rem"] = decode_two<Remainder>;
  table["addc"] = [](Decoding& d) { emit_with_carry<false>(d, true, d.take("cc")); };
  table["subc"] = [](Decoding& d) { emit_with_carry<true>(d, true, d.take("cc")); };
  table["sad"] = [](Decoding& d) {
    const Type type = integer_type(d);
    d.expect_operands(4, 4);
    d.result(0, 0, type);
    for (int k = 0; k < 3; ++k) d.source(k, static_cast<std::size_t>(k) + 1, type);
    d.emit(for_integer(type, []<class T>() -> Handler { return map_handler<SumOfAbsoluteDifference, T, T, T, T>; }));
  };
}

}  // namespace detbench::emulated
