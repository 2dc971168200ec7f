// Arithmetic on f32 and f64. Nothing here may be contracted: a product and a sum are one rounding each unless PTX says fma.
#include <cstdint>

#include "tests/emulated_gpu/decode.hpp"
#include "tests/emulated_gpu/float_operations.hpp"
#include "tests/emulated_gpu/warp.hpp"

namespace detbench::emulated {
namespace {

#if defined(__x86_64__) && defined(__GNUC__)
// The host's own fused multiply-add, eight lanes at a time, where it has one: the bits are those of std::fma.
template <class T>
[[gnu::target("avx2,fma")]] void fused_multiply_add_on_host(Warp& warp, const Instruction& in, Mask mask) {
  const T* const a = warp.source<T>(in.operand[Instruction::s0]);
  const T* const b = warp.source<T>(in.operand[Instruction::s1]);
  const T* const c = warp.source<T>(in.operand[Instruction::s2]);
  T* const result = warp.result<T>(in.operand[Instruction::d0]);
  const T nan = sizeof(T) == 4 ? std::bit_cast<float>(nan_32) : T{0};
#pragma GCC ivdep
  for (int lane = 0; lane < warp_lanes; ++lane) {
    T value = sizeof(T) == 4 ? static_cast<T>(__builtin_fmaf(static_cast<float>(a[lane]), static_cast<float>(b[lane]), static_cast<float>(c[lane])))
                             : static_cast<T>(__builtin_fma(a[lane], b[lane], c[lane]));
    if (sizeof(T) == 4) value = value == value ? value : nan;
    result[lane] = (mask & lane_bits<Slot<T>>.bit[lane]) != 0 ? value : result[lane];
  }
}
bool host_fuses() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
template <class T>
Handler fused_handler() {
  return host_fuses() ? fused_multiply_add_on_host<T> : map_handler<FusedMultiplyAdd, T, T, T, T>;
}
#else
template <class T>
Handler fused_handler() {
  return map_handler<FusedMultiplyAdd, T, T, T, T>;
}
#endif

template <class Operation, class T, class... Sources>
Handler plain_or_modified(bool flush, bool saturate) {
  if constexpr (sizeof(T) == 8) {
    return flush || saturate ? nullptr : map_handler<Operation, T, Sources...>;
  } else {
    if (flush) return saturate ? map_handler<Modified<Operation, true, true>, T, Sources...> : map_handler<Modified<Operation, true, false>, T, Sources...>;
    return saturate ? map_handler<Modified<Operation, false, true>, T, Sources...> : map_handler<Operation, T, Sources...>;
  }
}

enum class Rounds { never, optional, required };

/// Operations of n sources: rounding (to nearest only), .ftz, .sat, type.
template <class Operation, int sources, Rounds rounds>
void decode(Decoding& decoding) {
  const bool nearest = rounds != Rounds::never && decoding.take("rn");
  if (rounds == Rounds::required && !nearest) decoding.unsupported("only rounding to nearest is");
  const bool flush = decoding.take("ftz"), saturate = rounds != Rounds::never && decoding.take("sat");
  const Type type = decoding.take_type();
  if (!type.is_float() || type.bytes < 4) decoding.unsupported();
  decoding.expect_operands(sources + 1, sources + 1);
  decoding.result(0, 0, type);
  for (int k = 0; k < sources; ++k) decoding.source(k, static_cast<std::size_t>(k) + 1, type);
  Handler handler = nullptr;
  using F = float;
  using D = double;
  if constexpr (sources == 1) handler = type.bytes == 4 ? plain_or_modified<Operation, F, F>(flush, saturate) : plain_or_modified<Operation, D, D>(flush, saturate);
  if constexpr (sources == 2) handler = type.bytes == 4 ? plain_or_modified<Operation, F, F, F>(flush, saturate) : plain_or_modified<Operation, D, D, D>(flush, saturate);
  if constexpr (sources == 3) {
    if (!flush && !saturate) handler = type.bytes == 4 ? fused_handler<float>() : fused_handler<double>();
    else handler = type.bytes == 4 ? plain_or_modified<Operation, F, F, F, F>(flush, saturate) : nullptr;
  }
  decoding.emit(handler);
}

/// For names that integers share.
template <Decoder decode_float>
void floats_or_integers(Decoding& decoding) {
  decoding.names_float() ? decode_float(decoding) : decode_integer_arithmetic(decoding);
}

template <bool greater>
void decode_extreme(Decoding& decoding) {
  if (decoding.take("NaN")) decode<FloatExtreme<greater, true>, 2, Rounds::never>(decoding);
  else decode<FloatExtreme<greater, false>, 2, Rounds::never>(decoding);
}

/// copysign: the first operand's sign with the second's magnitude.
struct CopySign {
  template <class T>
  static T apply(T sign, T magnitude) { return std::copysign(magnitude, sign); }
};

enum class Test { finite, infinite, number, not_a_number, normal, subnormal };

template <Test test, class T>
void test_numbers(Warp& warp, const Instruction& in, Mask mask) {
  const T* const a = warp.source<T>(in.operand[Instruction::s0]);
  Mask result = 0;
  for (int lane = 0; lane < warp_lanes; ++lane) {
    const int kind = std::fpclassify(a[lane]);
    const bool holds = test == Test::finite         ? kind != FP_NAN && kind != FP_INFINITE
                       : test == Test::infinite     ? kind == FP_INFINITE
                       : test == Test::number       ? kind != FP_NAN
                       : test == Test::not_a_number ? kind == FP_NAN
                       : test == Test::normal       ? kind == FP_NORMAL
                                                    : kind == FP_SUBNORMAL;
    result |= static_cast<Mask>(holds) << lane;
  }
  warp.set_predicate(in.operand[Instruction::d0], result, mask);
}

template <class T>
Handler test_handler(int test) {
  static constexpr Handler handlers[] = {test_numbers<Test::finite, T>,       test_numbers<Test::infinite, T>, test_numbers<Test::number, T>,
                                         test_numbers<Test::not_a_number, T>, test_numbers<Test::normal, T>,   test_numbers<Test::subnormal, T>};
  return handlers[test];
}

void decode_test(Decoding& decoding) {
  const int test = decoding.take_one_of({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
  const Type type = decoding.take_type();
  if (test < 0 || !type.is_float() || type.bytes < 4) decoding.unsupported();
  decoding.expect_operands(2, 2);
  decoding.predicate_result(0, 0);
  decoding.source(0, 1, type);
  decoding.emit(type.bytes == 4 ? test_handler<float>(test) : test_handler<double>(test));
}

}  // namespace

void add_float_decoders(DecoderTable& table) {
  table["add"] = floats_or_integers<decode<FloatAdd, 2, Rounds::optional>>;
  table["sub"] = floats_or_integers<decode<FloatSubtract, 2, Rounds::optional>>;
  table["mul"] = floats_or_integers<decode<FloatMultiply, 2, Rounds::optional>>;
  table["div"] = floats_or_integers<decode<FloatDivide, 2, Rounds::required>>;
  table["mad"] = floats_or_integers<decode<FusedMultiplyAdd, 3, Rounds::required>>;
  table["fma"] = decode<FusedMultiplyAdd, 3, Rounds::required>;
  table["rcp"] = decode<Reciprocal, 1, Rounds::required>;
  table["sqrt"] = decode<SquareRoot, 1, Rounds::required>;
  table["neg"] = floats_or_integers<decode<FloatNegate, 1, Rounds::never>>;
  table["abs"] = floats_or_integers<decode<FloatAbsolute, 1, Rounds::never>>;
  table["min"] = floats_or_integers<decode_extreme<false>>;
  table["max"] = floats_or_integers<decode_extreme<true>>;
  table["copysign"] = decode<CopySign, 2, Rounds::never>;
  table["testp"] = decode_test;
}

}  // namespace detbench::emulated
