// Comparisons into predicates, and choices by them.
#include <cstdint>
#include <type_traits>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/float_operations.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

enum class Comparison : std::uint8_t { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };
const std::initializer_list<std::string_view> comparison_names = {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
const std::initializer_list<std::string_view> unsigned_names = {"lo", "ls", "hi", "hs"};  // lt, le, gt, ge

/// Ordered comparisons of a NaN do not hold; the unordered ones, which end in u, do.
template <Comparison comparison, class T>
bool holds(T a, T b) {
  using enum Comparison;
  if constexpr (std::is_floating_point_v<T>) {
    const bool unordered = a != a || b != b;
    switch (comparison) {
      case eq: return a == b;
      case ne: return a < b || a > b;
      case equ: return !(a < b || a > b);
      case neu: return a != b;
      case ltu: return !(a >= b);
      case leu: return !(a > b);
      case gtu: return !(a <= b);
      case geu: return !(a < b);
      case num: return !unordered;
      case nan: return unordered;
      default: break;
    }
  }
  switch (comparison) {
    case eq: return a == b;
    case ne: return a != b;
    case lt: return a < b;
    case le: return a <= b;
    case gt: return a > b;
    default: return a >= b;
  }
}

/// What follows the comparison: d0 = (a ? b) op s2, d1 = !(a ? b) op s2. In `detail`.
enum class Combine : std::uint8_t { none, conjunction, disjunction, difference };

Mask combined(std::uint8_t how, Mask a, Mask b) {
  switch (static_cast<Combine>(how)) {
    case Combine::conjunction: return a & b;
    case Combine::disjunction: return a | b;
    case Combine::difference: return a ^ b;
    default: return a;
  }
}

template <Comparison comparison, class T, bool flush>
Mask compare(const Warp& warp, const Instruction& in) {
  const Slot<T>* const a = warp.source<Slot<T>>(in.operand[Instruction::s0]);
  const Slot<T>* const b = warp.source<Slot<T>>(in.operand[Instruction::s1]);
  Slot<T> result = 0;
  for (int lane = 0; lane < warp_lanes; ++lane) {
    T x = from_slot<T>(a[lane]), y = from_slot<T>(b[lane]);
    if constexpr (flush) x = flushed(x), y = flushed(y);
    result |= holds<comparison>(x, y) ? lane_bits<Slot<T>>.bit[lane] : Slot<T>{0};
  }
  return static_cast<Mask>(result);
}

/// setp: d0 and d1.
template <Comparison comparison, class T, bool flush>
void set_predicates(Warp& warp, const Instruction& in, Mask mask) {
  const Mask result = compare<comparison, T, flush>(warp, in);
  const Mask third = warp.predicate(in.operand[Instruction::s2]);
  warp.set_predicate(in.operand[Instruction::d0], combined(in.detail, result, third), mask);
  warp.set_predicate(in.operand[Instruction::d1], combined(in.detail, ~result, third), mask);
}

/// set: a number that says so: all ones, or 1.0.
template <Comparison comparison, class T, bool flush>
void set_number(Warp& warp, const Instruction& in, Mask mask) {
  const Mask result = combined(in.detail, compare<comparison, T, flush>(warp, in), warp.predicate(in.operand[Instruction::s2]));
  auto* const d = warp.result<std::uint32_t>(in.operand[Instruction::d0]);
  const auto yes = static_cast<std::uint32_t>(in.immediate);
  for_lanes(mask, [&](int lane) { d[lane] = (result >> lane & 1) != 0 ? yes : 0; });
}

template <class T, bool flush, bool number, std::size_t... index>
Handler of_comparison(int comparison, std::index_sequence<index...>) {
  static constexpr Handler handlers[] = {
      (number ? set_number<static_cast<Comparison>(index), T, flush> : set_predicates<static_cast<Comparison>(index), T, flush>)...};
  return handlers[comparison];
}

template <class T, bool flush = false>
Handler handler_for(int comparison, bool number) {
  constexpr std::size_t count = std::is_floating_point_v<T> ? 14 : 6;
  if (comparison >= static_cast<int>(count)) return nullptr;
  return number ? of_comparison<T, flush, true>(comparison, std::make_index_sequence<count>{})
                : of_comparison<T, flush, false>(comparison, std::make_index_sequence<count>{});
}

Handler handler_for(Type type, int comparison, bool flush, bool number) {
  if (type.is_float()) {
    if (type.bytes == 4) return flush ? handler_for<float, true>(comparison, number) : handler_for<float>(comparison, number);
    return type.bytes == 8 && !flush ? handler_for<double>(comparison, number) : nullptr;
  }
  if (!type.is_integer() || flush) return nullptr;
  switch (type.bytes) {
    case 2: return type.is_signed() ? handler_for<std::int16_t>(comparison, number) : handler_for<std::uint16_t>(comparison, number);
    case 4: return type.is_signed() ? handler_for<std::int32_t>(comparison, number) : handler_for<std::uint32_t>(comparison, number);
    case 8: return type.is_signed() ? handler_for<std::int64_t>(comparison, number) : handler_for<std::uint64_t>(comparison, number);
    default: return nullptr;
  }
}

int take_comparison(Decoding& decoding) {
  if (const int found = decoding.take_one_of(comparison_names); found >= 0) return found;
  const int found = decoding.take_one_of(unsigned_names);
  if (found < 0) decoding.unsupported();
  return static_cast<int>(Comparison::lt) + found;
}

void take_combination(Decoding& decoding) {
  decoding.out.detail = static_cast<std::uint8_t>(decoding.take_one_of({"and", "or", "xor"}) + 1);
  decoding.expect_operands(decoding.out.detail == 0 ? 3 : 4, decoding.out.detail == 0 ? 3 : 4);
  if (decoding.out.detail != 0) decoding.predicate_source(2, 3);
}

void decode_set_predicate(Decoding& decoding) {
  const int comparison = take_comparison(decoding);
  take_combination(decoding);
  const bool flush = decoding.take("ftz");
  const Type type = decoding.take_type();
  decoding.predicate_result(0, 0);
  decoding.second_predicate_result(1, 0);
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.emit(handler_for(type, comparison, flush, false));
}

void decode_set(Decoding& decoding) {
  const int comparison = take_comparison(decoding);
  take_combination(decoding);
  const bool flush = decoding.take("ftz");
  const Type result = decoding.take_type(), type = decoding.take_type();
  if (result.bytes != 4 || result.kind == Type::Kind::bits) decoding.unsupported();
  decoding.out.immediate = result.is_float() ? 0x3f800000 : 0xffffffff;
  decoding.result(0, 0, result);
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.emit(handler_for(type, comparison, flush, true));
}

template <class T>
void select(Warp& warp, const Instruction& in, Mask mask) {
  const T* const a = warp.source<T>(in.operand[Instruction::s0]);
  const T* const b = warp.source<T>(in.operand[Instruction::s1]);
  T* const result = warp.result<T>(in.operand[Instruction::d0]);
  const Mask first = warp.predicate(in.operand[Instruction::s2]);
#pragma GCC ivdep
  for (int lane = 0; lane < warp_lanes; ++lane) {
    result[lane] = chosen(mask, lane, chosen(first, lane, a[lane], b[lane]), result[lane]);
  }
}

void decode_select(Decoding& decoding) {
  const Type type = decoding.take_type();
  if (type.bytes < 2) decoding.unsupported();
  decoding.expect_operands(4, 4);
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.predicate_source(2, 3);
  decoding.emit(type.bytes == 8 ? select<std::uint64_t> : select<std::uint32_t>);
}

/// slct: the first where the third is not less than zero (a NaN is less), else the second.
template <class T, class Sign>
void select_by_sign(Warp& warp, const Instruction& in, Mask mask) {
  const T* const a = warp.source<T>(in.operand[Instruction::s0]);
  const T* const b = warp.source<T>(in.operand[Instruction::s1]);
  const Slot<Sign>* const c = warp.source<Slot<Sign>>(in.operand[Instruction::s2]);
  T* const result = warp.result<T>(in.operand[Instruction::d0]);
  for_lanes(mask, [&](int lane) { result[lane] = from_slot<Sign>(c[lane]) >= Sign{0} ? a[lane] : b[lane]; });
}

void decode_select_by_sign(Decoding& decoding) {
  const Type type = decoding.take_type(), sign = decoding.take_type();
  if (type.bytes < 2 || sign.bytes != 4) decoding.unsupported();
  decoding.expect_operands(4, 4);
  decoding.result(0, 0, type);
  decoding.source(0, 1, type);
  decoding.source(1, 2, type);
  decoding.source(2, 3, sign);
  if (sign.is_float()) return decoding.emit(type.bytes == 8 ? select_by_sign<std::uint64_t, float> : select_by_sign<std::uint32_t, float>);
  if (!sign.is_signed()) decoding.unsupported();
  decoding.emit(type.bytes == 8 ? select_by_sign<std::uint64_t, std::int32_t> : select_by_sign<std::uint32_t, std::int32_t>);
}

}  // namespace

void add_compare_decoders(DecoderTable& table) {
  table["setp"] = decode_set_predicate;
  table["set"] = decode_set;
  table["selp"] = decode_select;
  table["slct"] = decode_select_by_sign;
}

}  // namespace detbench::emulated
