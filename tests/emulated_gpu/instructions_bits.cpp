// Bits of integers: logic, shifts, fields, counts, bytes.
#include <bit>
#include <cstdint>
#include <type_traits>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

struct And {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>(a & b); }
};
struct Or {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>(a | b); }
};
struct Xor {
  template <class T>
  static T apply(T a, T b) { return static_cast<T>(a ^ b); }
};
struct Not {
  template <class T>
  static T apply(T a) { return static_cast<T>(~a); }
};
struct LogicalNot {
  template <class T>
  static T apply(T a) { return a == 0 ? 1 : 0; }
};
/// Shifts by the width or more leave nothing, or the sign.
struct ShiftLeft {
  template <class T>
  static T apply(T a, std::uint32_t by) { return by >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << (by & (8 * sizeof(T) - 1))); }
};
struct ShiftRight {
  template <class T>
  static T apply(T a, std::uint32_t by) {
    constexpr std::uint32_t width = 8 * sizeof(T);
    if constexpr (std::is_signed_v<T>) return static_cast<T>(a >> (by >= width ? width - 1 : by));
    else return by >= width ? T{0} : static_cast<T>(a >> (by & (width - 1)));
  }
};
struct PopulationCount {
  template <class T>
  static std::uint32_t apply(T a) { return static_cast<std::uint32_t>(std::popcount(a)); }
};
struct LeadingZeros {
  template <class T>
  static std::uint32_t apply(T a) { return static_cast<std::uint32_t>(std::countl_zero(a)); }
};
struct Reverse {
  template <class T>
  static T apply(T a) {
    T result = 0;
    for (unsigned i = 0; i < 8 * sizeof(T); ++i) result = static_cast<T>(result << 1 | (a >> i & 1));
    return result;
  }
};
/// The place of the highest bit that differs from the sign (of the highest bit, where unsigned); all ones where there is none.
template <bool shift_amount>
struct FindHighest {
  template <class T>
  static std::uint32_t apply(T a) {
    using U = std::make_unsigned_t<T>;
    U bits = static_cast<U>(a);
    if constexpr (std::is_signed_v<T>) bits = a < 0 ? static_cast<U>(~bits) : bits;
    if (bits == 0) return UINT32_MAX;
    const auto zeros = static_cast<std::uint32_t>(std::countl_zero(bits));
    return shift_amount ? zeros : static_cast<std::uint32_t>(8 * sizeof(T)) - 1 - zeros;
  }
};
template <class T>
T low_bits(std::uint32_t count) { return count >= 8 * sizeof(T) ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << count) - 1); }
/// a's low bits in b's place: position and length are the low 8 bits of their operands.
struct InsertField {
  template <class T>
  static T apply(T a, T b, std::uint32_t position, std::uint32_t length) {
    const T field = ShiftLeft::apply(low_bits<T>(length & 255), position & 255);
    return static_cast<T>((b & ~field) | (ShiftLeft::apply(a, position & 255) & field));
  }
};
struct ExtractField {
  template <class T>
  static T apply(T a, std::uint32_t position, std::uint32_t length) {
    using U = std::make_unsigned_t<T>;
    constexpr std::uint32_t width = 8 * sizeof(T);
    position &= 255;
    length &= 255;
    U result = static_cast<U>(ShiftRight::apply(static_cast<U>(a), position) & low_bits<U>(length));
    if constexpr (std::is_signed_v<T>) {
      const std::uint32_t sign_at = position + length - 1 < width - 1 ? position + length - 1 : width - 1;
      const bool negative = length != 0 && (static_cast<U>(a) >> sign_at & 1) != 0;
      if (negative) result = static_cast<U>(result | ~low_bits<U>(sign_at < position ? 0 : sign_at - position + 1));
    }
    return static_cast<T>(result);
  }
};
template <bool wrap>
struct FieldMask {
  static std::uint32_t apply(std::uint32_t position, std::uint32_t length) {
    if (wrap) return ShiftLeft::apply(low_bits<std::uint32_t>(length & 31), position & 31);
    return ShiftLeft::apply(low_bits<std::uint32_t>(length), position);
  }
};
/// Of the 64 bits b:a. left: the upper half after a shift to the left; right: the lower half after one to the right.
template <bool left, bool wrap>
struct FunnelShift {
  static std::uint32_t apply(std::uint32_t a, std::uint32_t b, std::uint32_t by) {
    const std::uint32_t n = wrap ? by & 31 : by < 32 ? by : 32;
    const std::uint64_t both = std::uint64_t{b} << 32 | a;
    return left ? static_cast<std::uint32_t>(both << n >> 32) : static_cast<std::uint32_t>(both >> n);
  }
};
/// Four bytes chosen out of b:a by four bits each; the fourth bit of each repeats the byte's sign instead.
struct PermuteBytes {
  static std::uint32_t apply(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
    const std::uint64_t both = std::uint64_t{b} << 32 | a;
    std::uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
      const std::uint32_t choice = selector >> (4 * i) & 15;
      std::uint32_t byte = static_cast<std::uint32_t>(both >> (8 * (choice & 7))) & 255;
      if ((choice & 8) != 0) byte = (byte & 128) != 0 ? 255 : 0;
      result |= byte << (8 * i);
    }
    return result;
  }
};

/// f<T>() for an unsigned integer of the type's width.
template <class F>
Handler for_bits(Type type, F f) {
  if (!type.is_integer()) return nullptr;
  switch (type.bytes) {
    case 2: return f.template operator()<std::uint16_t>();
    case 4: return f.template operator()<std::uint32_t>();
    case 8: return f.template operator()<std::uint64_t>();
    default: return nullptr;
  }
}

constexpr Type u32{Type::Kind::unsigned_integer, 4};

/// result 0 and the sources, of the types listed.
void emit(Decoding& decoding, Type result, std::initializer_list<Type> sources, Handler handler) {
  decoding.expect_operands(sources.size() + 1, sources.size() + 1);
  decoding.result(0, 0, result);
  int k = 0;
  for (const Type& type : sources) {
    decoding.source(k, static_cast<std::size_t>(k) + 1, type);
    ++k;
  }
  decoding.emit(handler);
}

enum class Logic { conjunction, disjunction, difference };

template <Logic logic>
void predicate_logic(Warp& warp, const Instruction& in, Mask mask) {
  const Mask a = warp.predicate(in.operand[Instruction::s0]), b = warp.predicate(in.operand[Instruction::s1]);
  warp.set_predicate(in.operand[Instruction::d0], logic == Logic::conjunction ? a & b : logic == Logic::disjunction ? a | b : a ^ b, mask);
}

void predicate_not(Warp& warp, const Instruction& in, Mask mask) {
  warp.set_predicate(in.operand[Instruction::d0], ~warp.predicate(in.operand[Instruction::s0]), mask);
}

template <Logic logic, class Operation>
void decode_logic(Decoding& decoding) {
  const Type type = decoding.take_type();
  if (type.kind == Type::Kind::predicate) {
    decoding.expect_operands(3, 3);
    decoding.predicate_result(0, 0);
    decoding.predicate_source(0, 1);
    decoding.predicate_source(1, 2);
    return decoding.emit(predicate_logic<logic>);
  }
  emit(decoding, type, {type, type}, for_bits(type, []<class T>() -> Handler { return map_handler<Operation, T, T, T>; }));
}

void decode_not(Decoding& decoding) {
  const Type type = decoding.take_type();
  if (type.kind == Type::Kind::predicate) {
    decoding.expect_operands(2, 2);
    decoding.predicate_result(0, 0);
    decoding.predicate_source(0, 1);
    return decoding.emit(predicate_not);
  }
  emit(decoding, type, {type}, for_bits(type, []<class T>() -> Handler { return map_handler<Not, T, T>; }));
}

void decode_shift_right(Decoding& decoding) {
  const Type type = decoding.take_type();
  emit(decoding, type, {type, u32}, for_bits(type, [type]<class T>() -> Handler {
         using S = std::make_signed_t<T>;
         return type.is_signed() ? map_handler<ShiftRight, S, S, std::uint32_t> : map_handler<ShiftRight, T, T, std::uint32_t>;
       }));
}

void decode_find(Decoding& decoding) {
  const bool shift_amount = decoding.take("shiftamt");
  const Type type = decoding.take_type();
  if (type.bytes < 4) decoding.unsupported();
  emit(decoding, u32, {type}, for_bits(type, [type, shift_amount]<class T>() -> Handler {
         using S = std::make_signed_t<T>;
         if (type.is_signed()) return shift_amount ? map_handler<FindHighest<true>, std::uint32_t, S> : map_handler<FindHighest<false>, std::uint32_t, S>;
         return shift_amount ? map_handler<FindHighest<true>, std::uint32_t, T> : map_handler<FindHighest<false>, std::uint32_t, T>;
       }));
}

void decode_extract(Decoding& decoding) {
  const Type type = decoding.take_type();
  if (type.bytes < 4) decoding.unsupported();
  emit(decoding, type, {type, u32, u32}, for_bits(type, [type]<class T>() -> Handler {
         using S = std::make_signed_t<T>;
         using N = std::uint32_t;
         return type.is_signed() ? map_handler<ExtractField, S, S, N, N> : map_handler<ExtractField, T, T, N, N>;
       }));
}

void decode_funnel_shift(Decoding& decoding) {
  const int left = decoding.take_one_of({"r", "l"}), wrap = decoding.take_one_of({"clamp", "wrap"});
  const Type type = decoding.take_type();
  if (left < 0 || wrap < 0 || type.bytes != 4) decoding.unsupported();
  using N = std::uint32_t;
  static constexpr Handler handlers[2][2] = {{map_handler<FunnelShift<false, false>, N, N, N, N>, map_handler<FunnelShift<false, true>, N, N, N, N>},
                                             {map_handler<FunnelShift<true, false>, N, N, N, N>, map_handler<FunnelShift<true, true>, N, N, N, N>}};
  emit(decoding, u32, {u32, u32, u32}, handlers[left][wrap]);
}

/// Any function of three bits: bit a << 2 | b << 1 | c of the table in `detail` is the result.
void three_logic(Warp& warp, const Instruction& in, Mask mask) {
  const auto* a = warp.source<std::uint32_t>(in.operand[Instruction::s0]);
  const auto* b = warp.source<std::uint32_t>(in.operand[Instruction::s1]);
  const auto* c = warp.source<std::uint32_t>(in.operand[Instruction::s2]);
  auto* result = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  for (int lane = 0; lane < warp_lanes; ++lane) {
    std::uint32_t value = 0;
    for (unsigned row = 0; row < 8; ++row) {
      const std::uint32_t chosen = 0u - (in.detail >> row & 1);
      value |= chosen & (row & 4 ? a[lane] : ~a[lane]) & (row & 2 ? b[lane] : ~b[lane]) & (row & 1 ? c[lane] : ~c[lane]);
    }
    result[lane] = chosen(mask, lane, value, result[lane]);
  }
}

void decode_three_logic(Decoding& decoding) {
  const Type type = decoding.take_type();
  if (type.bytes != 4) decoding.unsupported();
  decoding.expect_operands(5, 5);
  const auto table = decoding.known_value(4);
  if (!table) decoding.unsupported("its table is no constant");
  decoding.out.detail = static_cast<std::uint8_t>(*table);
  decoding.result(0, 0, type);
  for (int k = 0; k < 3; ++k) decoding.source(k, static_cast<std::size_t>(k) + 1, type);
  decoding.emit(three_logic);
}

}  // namespace

void add_bit_decoders(DecoderTable& table) {
  using N = std::uint32_t;
  table["and"] = decode_logic<Logic::conjunction, And>;
  table["or"] = decode_logic<Logic::disjunction, Or>;
  table["xor"] = decode_logic<Logic::difference, Xor>;
  table["not"] = decode_not;
  table["cnot"] = [](Decoding& d) {
    const Type type = d.take_type();
    emit(d, type, {type}, for_bits(type, []<class T>() -> Handler { return map_handler<LogicalNot, T, T>; }));
  };
  table["shl"] = [](Decoding& d) {
    const Type type = d.take_type();
    emit(d, type, {type, u32}, for_bits(type, []<class T>() -> Handler { return map_handler<ShiftLeft, T, T, N>; }));
  };
  table["shr"] = decode_shift_right;
  table["shf"] = decode_funnel_shift;
  table["popc"] = [](Decoding& d) {
    const Type type = d.take_type();
    if (type.bytes < 4) d.unsupported();
    emit(d, u32, {type}, for_bits(type, []<class T>() -> Handler { return map_handler<PopulationCount, N, T>; }));
  };
  table["clz"] = [](Decoding& d) {
    const Type type = d.take_type();
    if (type.bytes < 4) d.unsupported();
    emit(d, u32, {type}, for_bits(type, []<class T>() -> Handler { return map_handler<LeadingZeros, N, T>; }));
  };
  table["brev"] = [](Decoding& d) {
    const Type type = d.take_type();
    if (type.bytes < 4) d.unsupported();
    emit(d, type, {type}, for_bits(type, []<class T>() -> Handler { return map_handler<Reverse, T, T>; }));
  };
  table["bfind"] = decode_find;
  table["bfe"] = decode_extract;
  table["bfi"] = [](Decoding& d) {
    const Type type = d.take_type();
    if (type.bytes < 4) d.unsupported();
    emit(d, type, {type, type, u32, u32}, for_bits(type, []<class T>() -> Handler { return map_handler<InsertField, T, T, T, N, N>; }));
  };
  table["bmsk"] = [](Decoding& d) {
    const int wrap = d.take_one_of({"clamp", "wrap"});
    const Type type = d.take_type();
    if (wrap < 0 || type.bytes != 4) d.unsupported();
    emit(d, u32, {u32, u32}, wrap == 1 ? map_handler<FieldMask<true>, N, N, N> : map_handler<FieldMask<false>, N, N, N>);
  };
  table["prmt"] = [](Decoding& d) {
    if (d.take_type().bytes != 4) d.unsupported();
    emit(d, u32, {u32, u32, u32}, map_handler<PermuteBytes, N, N, N, N>);
  };
  table["lop3"] = decode_three_logic;
}

}  // namespace detbench::emulated
