// f16 and bf16 as the GPU converts them: to nearest, ties to even, with subnormal numbers; every NaN becomes the one positive NaN
// with all bits set. Both are written as one rounding of a double, which holds every float, so that nothing is rounded twice.
#pragma once

#include <bit>
#include <cstdint>

namespace detbench::emulated {

/// Smaller formats of IEEE 754's kind in 16 bits.
struct HalfFormat {
  static constexpr int fraction_bits = 10, least_exponent = -14;
  static constexpr std::uint16_t infinity = 0x7c00;
};
struct BrainFormat {
  static constexpr int fraction_bits = 7, least_exponent = -126;
  static constexpr std::uint16_t infinity = 0x7f80;
};
constexpr std::uint16_t nan_16 = 0x7fff;
constexpr std::uint32_t nan_32 = 0x7fffffff;

enum class Rounding : std::uint8_t { nearest, zero, down, up };

/// The bits of `value` in the format.
template <class Format>
inline std::uint16_t rounded_16(double value, Rounding rounding = Rounding::nearest) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 63 << 15);
  const int biased = static_cast<int>(bits >> 52 & 0x7ff);
  std::uint64_t fraction = bits & 0xfffffffffffffull;
  if (biased == 0x7ff) return fraction != 0 ? nan_16 : static_cast<std::uint16_t>(sign | Format::infinity);
  if (biased == 0 && fraction == 0) return sign;
  const int exponent = biased == 0 ? -1022 : biased - 1023;
  if (biased != 0) fraction |= std::uint64_t{1} << 52;
  // In units of the last place of the result, whose exponent is no less than the format's least.
  const int unit = (exponent > Format::least_exponent ? exponent : Format::least_exponent) - Format::fraction_bits;
  const int drop = unit - (exponent - 52);  // bits below it; 42 or more
  std::uint64_t units = drop > 62 ? 0 : fraction >> drop;
  const std::uint64_t rest = drop > 62 ? 1 : fraction & ((std::uint64_t{1} << drop) - 1);
  const std::uint64_t half = drop > 62 ? 2 : std::uint64_t{1} << (drop - 1);
  const bool away = rounding == Rounding::nearest ? rest > half || (rest == half && (units & 1) != 0)
                    : rounding == Rounding::zero ? false
                                                 : rest != 0 && (rounding == Rounding::up) == (sign == 0);
  if (away) ++units;
  // A carry out of the fraction is a carry into the exponent, as both lie side by side.
  std::uint64_t magnitude = units;
  if (exponent > Format::least_exponent) magnitude += static_cast<std::uint64_t>(exponent - Format::least_exponent) << Format::fraction_bits;
  if (magnitude >= Format::infinity) {
    const bool stays_finite = rounding == Rounding::zero || (rounding == Rounding::up && sign != 0) || (rounding == Rounding::down && sign == 0);
    magnitude = stays_finite ? Format::infinity - 1 : Format::infinity;
  }
  return static_cast<std::uint16_t>(sign | magnitude);
}

/// Exact. Branch-free, so that loops over lanes vectorise.
inline float float_of_half(std::uint16_t half) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7fff) << 13, sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  // The exponent's bias differs by 112; the product is exact for subnormal numbers too.
  const std::uint32_t scaled = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const bool special = (half & 0x7c00) == 0x7c00;
  const bool nan = special && (half & 0x3ff) != 0;
  return std::bit_cast<float>(nan ? nan_32 : sign | (special ? 0x7f800000u : scaled));
}
inline float float_of_brain(std::uint16_t brain) {
  const std::uint32_t bits = static_cast<std::uint32_t>(brain) << 16;
  return std::bit_cast<float>((bits & 0x7fffffff) > 0x7f800000 ? nan_32 : bits);
}
template <class Format>
inline float float_of_16(std::uint16_t bits) {
  if constexpr (Format::fraction_bits == HalfFormat::fraction_bits) return float_of_half(bits);
  else return float_of_brain(bits);
}

}  // namespace detbench::emulated
