// How one group of neighbouring elements is drawn, fill version 1; shared by host and device.
//
// Philox gives 128 bits per call, so elements are drawn in groups that share a call: group g holds the canonical
// indices [g * group_size, (g + 1) * group_size). An element therefore depends on (key, its index) alone. Every
// conversion from integers to floats below is exact; the one rounding of a value is the multiplication by `scale` (none
// when it is a power of two), and for f16 and bf16 the rounding to storage.
#pragma once

#include <cstdint>

#include "kernels/tensor/fill.hpp"
#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/philox.hpp"
#include "kernels/tensor/portable_math.hpp"

namespace detbench {

/// A FillSpec made ready: plain data that a device can take by value.
struct FillPlan {
  FillSpec::Kind kind;
  std::uint64_t key;
  double scale;
  std::int64_t limit;
  std::uint64_t threshold;  ///< density * 2^32: an element is non-zero when its 32-bit draw is below it
  /// Fill `cancelling`: the last places of the stored type, as bits of the computing type, in which opposite elements differ.
  std::uint64_t last_places = 0;
};

DETBENCH_HOST_DEVICE constexpr std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a0 = a & 0xFFFFFFFFu, a1 = a >> 32, b0 = b & 0xFFFFFFFFu, b1 = b >> 32;
  const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
  const std::uint64_t low = (middle & 0xFFFFFFFFu) + a0 * b1;
  return a1 * b1 + (middle >> 32) + (low >> 32);
}

DETBENCH_HOST_DEVICE constexpr std::uint64_t join(std::uint32_t low, std::uint32_t high) {
  return static_cast<std::uint64_t>(high) << 32 | low;
}

inline constexpr int max_fill_calls = 6;

/// How groups are drawn in a computing type: float for f32, f16, bf16; double for f64; int64 for integers.
///   size(kind)     elements of a group, at most max_size
///   calls(kind)    Philox calls it takes, at most max_fill_calls; call number j is philox4x32(group, j, 0, key)
///   convert(...)   their words into the elements of group `group`
template <class T>
struct FillGroup;

/// Non-zero integer of [-limit, limit] with the plan's density, from 64 random bits.
DETBENCH_HOST_DEVICE constexpr std::int64_t draw_integer(const FillPlan& plan, std::uint32_t choice,
                                                         std::uint32_t value) {
  const std::int64_t v =
      static_cast<std::int64_t>(std::uint64_t{value} * static_cast<std::uint64_t>(2 * plan.limit) >> 32);
  // Without branches: the draws are random, so half of all branches would be mispredicted.
  return (v - plan.limit + (v >= plan.limit)) & -static_cast<std::int64_t>(choice < plan.threshold);
}

/// A standard normal deviate kept within two deviations, by rejection: a candidate x, uniform in [-2, 2), is kept with
/// probability exp(-x*x/2), where its 32-bit draw d has d < 2^32 * exp(-x*x/2) in f64 by the portable exp. That is the
/// distribution that redrawing a normal beyond two deviations has. Philox call number j of the group holds the next
/// candidates: two of 25 bits for f32 (words 0, 1 and 2, 3: candidate and draw), one of 54 bits for f64 (words 0 and 1;
/// draw in word 2). A candidate is kept six times of ten; none of 64 calls is once in 10^25 elements, and then it is 0.
inline constexpr std::uint32_t most_truncated_calls = 64;

DETBENCH_HOST_DEVICE inline bool keeps_candidate(double x, std::uint32_t draw) {
  return static_cast<double>(draw) < 0x1p32 * portable::exp(-0.5 * (x * x));
}
DETBENCH_HOST_DEVICE inline float truncated_normal(const FillPlan& plan, PhiloxWords words, std::uint64_t group, float) {
  for (std::uint32_t call = 1;; ++call) {
    for (int j = 0; j < 4; j += 2) {
      const float x = static_cast<float>(static_cast<std::int32_t>(words.w[j] >> 7) - (1 << 24)) * 0x1p-23f;
      if (keeps_candidate(static_cast<double>(x), words.w[j + 1])) return x;
    }
    if (call == most_truncated_calls) return 0;
    words = philox4x32(group, call, 0, plan.key);
  }
}
DETBENCH_HOST_DEVICE inline double truncated_normal(const FillPlan& plan, PhiloxWords words, std::uint64_t group, double) {
  for (std::uint32_t call = 1;; ++call) {
    const double x = static_cast<double>(static_cast<std::int64_t>(join(words.w[0], words.w[1]) >> 10) - (std::int64_t{1} << 53)) * 0x1p-52;
    if (keeps_candidate(x, words.w[2])) return x;
    if (call == most_truncated_calls) return 0;
    words = philox4x32(group, call, 0, plan.key);
  }
}

/// Fill `cancelling`: the words of the pair of elements that this pair is opposite to, or its own; false: beyond the pairs.
struct CancellingPair {
  PhiloxWords words;
  bool opposite, present;
};
DETBENCH_HOST_DEVICE inline CancellingPair cancelling_pair(const FillPlan& plan, const PhiloxWords& own, std::uint64_t group) {
  const std::uint64_t half = static_cast<std::uint64_t>(plan.limit) / 2;  // groups of two elements
  if (group < half) return {own, false, true};
  if (group < 2 * half) return {philox4x32(group - half, 0, 0, plan.key), true, true};
  return {own, false, false};
}

template <>
struct FillGroup<float> {
  static constexpr int max_size = 4;
  DETBENCH_HOST_DEVICE static constexpr int size(FillSpec::Kind kind) {
    return kind == FillSpec::Kind::uniform || kind == FillSpec::Kind::positive || kind == FillSpec::Kind::constant ? 4
           : kind == FillSpec::Kind::normal || kind == FillSpec::Kind::truncated_normal ? 1
                                                                                        : 2;
  }
  DETBENCH_HOST_DEVICE static constexpr int calls(FillSpec::Kind kind) {
    return kind == FillSpec::Kind::constant ? 0 : kind == FillSpec::Kind::normal ? 2 : 1;
  }
  DETBENCH_HOST_DEVICE static void convert(const FillPlan& plan, const PhiloxWords* words, std::uint64_t group, float* out) {
    const PhiloxWords& r = words[0];
    const float scale = static_cast<float>(plan.scale);
    switch (plan.kind) {
      case FillSpec::Kind::uniform: {
        // 25 bits: a sign and 24 bits of magnitude, k * 2^-24 - 1.
        for (int j = 0; j < 4; ++j)
          out[j] = scale * (static_cast<float>(static_cast<std::int32_t>(r.w[j] >> 7) - (1 << 24)) * 0x1p-24f);
        return;
      }
      case FillSpec::Kind::positive: {
        for (int j = 0; j < 4; ++j) out[j] = scale * (static_cast<float>(r.w[j] >> 8) * 0x1p-24f);
        return;
      }
      case FillSpec::Kind::cancelling: {
        // Word 2j: sign and fraction; the top of word 2j+1: one of 17 exponents; the own word 2j's low bits: the last
        // places that keep the pair from cancelling altogether.
        const CancellingPair pair = cancelling_pair(plan, r, group);
        for (int j = 0; j < 2; ++j) {
          const std::uint32_t bits = pair.words.w[2 * j];
          const auto exponent = static_cast<std::uint32_t>(119 + (std::uint64_t{pair.words.w[2 * j + 1]} * 17 >> 32));
          const std::uint32_t value = (bits & 0x80000000u) | exponent << 23 | (bits & 0x7FFFFFu);
          const std::uint32_t opposite = (value ^ 0x80000000u) ^ (r.w[2 * j + 1] & static_cast<std::uint32_t>(plan.last_places));
          out[j] = !pair.present ? 0.0f : scale * float_from_bits(pair.opposite ? opposite : value);
        }
        return;
      }
      case FillSpec::Kind::normal: {
        // Twelve uniforms of 21 bits, six from each call's 126 low bits, added as integers: |centred sum| < 2^24, so it
        // is exact in f32 and the order of the twelve additions cannot matter. A uniform stands for the middle of its
        // cell (k + 1/2) * 2^-21, so that the mean is exactly 0.
        std::int32_t sum = 0;
        for (int call = 0; call < 2; ++call) {
          const std::uint64_t low = join(words[call].w[0], words[call].w[1]),
                              high = join(words[call].w[2], words[call].w[3]);
          for (int shift = 0; shift < 63; shift += 21)
            sum += static_cast<std::int32_t>(low >> shift & 0x1FFFFFu) +
                   static_cast<std::int32_t>(high >> shift & 0x1FFFFFu);
        }
        out[0] = scale * (static_cast<float>(sum + 6 - 6 * (1 << 21)) * 0x1p-21f);
        return;
      }
      case FillSpec::Kind::truncated_normal: {
        out[0] = scale * truncated_normal(plan, r, group, 0.0f);
        return;
      }
      case FillSpec::Kind::integers: {
        for (int j = 0; j < 2; ++j) out[j] = scale * static_cast<float>(draw_integer(plan, r.w[2 * j], r.w[2 * j + 1]));
        return;
      }
      case FillSpec::Kind::wide: {
        for (int j = 0; j < 2; ++j) {
          const auto e = static_cast<std::int64_t>(
              std::uint64_t{r.w[2 * j + 1]} * static_cast<std::uint64_t>(2 * plan.limit + 1) >> 32);
          const std::uint32_t bits = r.w[2 * j];
          const auto exponent = static_cast<std::uint32_t>(127 + e - plan.limit);
          out[j] = scale * float_from_bits((bits & 0x80000000u) | exponent << 23 | (bits & 0x7FFFFFu));
        }
        return;
      }
      default:
        for (int j = 0; j < 4; ++j) out[j] = scale;
    }
  }
};

template <>
struct FillGroup<double> {
  static constexpr int max_size = 4;
  DETBENCH_HOST_DEVICE static constexpr int size(FillSpec::Kind kind) {
    return kind == FillSpec::Kind::constant                                 ? 4
           : kind == FillSpec::Kind::normal || kind == FillSpec::Kind::wide || kind == FillSpec::Kind::truncated_normal ? 1
                                                                                                                        : 2;
  }
  DETBENCH_HOST_DEVICE static constexpr int calls(FillSpec::Kind kind) {
    return kind == FillSpec::Kind::constant ? 0 : kind == FillSpec::Kind::normal ? 6 : 1;
  }
  DETBENCH_HOST_DEVICE static void convert(const FillPlan& plan, const PhiloxWords* words, std::uint64_t group, double* out) {
    const PhiloxWords& r = words[0];
    switch (plan.kind) {
      case FillSpec::Kind::uniform: {
        // 54 bits: a sign and 53 bits of magnitude.
        for (int j = 0; j < 2; ++j)
          out[j] = plan.scale * (static_cast<double>(static_cast<std::int64_t>(join(r.w[2 * j], r.w[2 * j + 1]) >> 10) -
                                                     (std::int64_t{1} << 53)) *
                                 0x1p-53);
        return;
      }
      case FillSpec::Kind::positive: {
        for (int j = 0; j < 2; ++j) out[j] = plan.scale * (static_cast<double>(join(r.w[2 * j], r.w[2 * j + 1]) >> 11) * 0x1p-53);
        return;
      }
      case FillSpec::Kind::cancelling: {
        const CancellingPair pair = cancelling_pair(plan, r, group);
        for (int j = 0; j < 2; ++j) {
          const std::uint64_t bits = join(pair.words.w[2 * j], pair.words.w[2 * j + 1]);
          const std::uint64_t exponent = 1015 + ((bits >> 52 & 0x7FFu) * 17 >> 11);
          const std::uint64_t value = (bits & (std::uint64_t{1} << 63)) | exponent << 52 | (bits & 0xFFFFFFFFFFFFFu);
          const std::uint64_t opposite = (value ^ (std::uint64_t{1} << 63)) ^ (std::uint64_t{r.w[2 * j + 1]} * 0x9E3779B97F4A7C15u >> 32 & plan.last_places);
          out[j] = !pair.present ? 0.0 : plan.scale * double_from_bits(pair.opposite ? opposite : value);
        }
        return;
      }
      case FillSpec::Kind::normal: {
        // As for f32, with 50 bits per uniform: an f64 sum of deviates with 24 bits would be exact and show nothing.
        std::int64_t sum = 0;
        for (int call = 0; call < 6; ++call)
          sum += static_cast<std::int64_t>(join(words[call].w[0], words[call].w[1]) >> 14) +
                 static_cast<std::int64_t>(join(words[call].w[2], words[call].w[3]) >> 14);
        out[0] = plan.scale * (static_cast<double>(sum + 6 - 6 * (std::int64_t{1} << 50)) * 0x1p-50);
        return;
      }
      case FillSpec::Kind::truncated_normal: {
        out[0] = plan.scale * truncated_normal(plan, r, group, 0.0);
        return;
      }
      case FillSpec::Kind::integers: {
        for (int j = 0; j < 2; ++j)
          out[j] = plan.scale * static_cast<double>(draw_integer(plan, r.w[2 * j], r.w[2 * j + 1]));
        return;
      }
      case FillSpec::Kind::wide: {
        const auto e =
            static_cast<std::int64_t>(std::uint64_t{r.w[2]} * static_cast<std::uint64_t>(2 * plan.limit + 1) >> 32);
        const std::uint64_t bits = join(r.w[0], r.w[1]);
        const auto exponent = static_cast<std::uint64_t>(1023 + e - plan.limit);
        out[0] = plan.scale *
                 double_from_bits((bits & (std::uint64_t{1} << 63)) | exponent << 52 | (bits & 0xFFFFFFFFFFFFFu));
        return;
      }
      default:
        for (int j = 0; j < 4; ++j) out[j] = plan.scale;
    }
  }
};

template <>
struct FillGroup<std::int64_t> {
  static constexpr int max_size = 4;
  DETBENCH_HOST_DEVICE static constexpr int size(FillSpec::Kind kind) {
    return kind == FillSpec::Kind::constant ? 4 : 2;
  }
  DETBENCH_HOST_DEVICE static constexpr int calls(FillSpec::Kind kind) {
    return kind == FillSpec::Kind::constant ? 0 : 1;
  }
  DETBENCH_HOST_DEVICE static void convert(const FillPlan& plan, const PhiloxWords* words, std::uint64_t, std::int64_t* out) {
    const PhiloxWords& r = words[0];
    if (plan.kind == FillSpec::Kind::constant) {
      for (int j = 0; j < 4; ++j) out[j] = static_cast<std::int64_t>(plan.scale);
      return;
    }
    for (int j = 0; j < 2; ++j)
      out[j] = plan.kind == FillSpec::Kind::integers
                   ? draw_integer(plan, r.w[2 * j], r.w[2 * j + 1])
                   : static_cast<std::int64_t>(
                         multiply_high(join(r.w[2 * j], r.w[2 * j + 1]), static_cast<std::uint64_t>(plan.limit)));
  }
};

/// Storage of a type: the element as stored, the computing type, and the conversion between them.
template <DataType>
struct FillStorage;
template <>
struct FillStorage<DataType::f32> {
  using Stored = float;
  using Computed = float;
  DETBENCH_HOST_DEVICE static float store(float v) { return v; }
};
template <>
struct FillStorage<DataType::f64> {
  using Stored = double;
  using Computed = double;
  DETBENCH_HOST_DEVICE static double store(double v) { return v; }
};
template <>
struct FillStorage<DataType::f16> {
  using Stored = std::uint16_t;
  using Computed = float;
  DETBENCH_HOST_DEVICE static std::uint16_t store(float v) { return f16_from_float(v); }
};
template <>
struct FillStorage<DataType::bf16> {
  using Stored = std::uint16_t;
  using Computed = float;
  DETBENCH_HOST_DEVICE static std::uint16_t store(float v) { return bf16_from_float(v); }
};
template <>
struct FillStorage<DataType::i32> {
  using Stored = std::int32_t;
  using Computed = std::int64_t;
  DETBENCH_HOST_DEVICE static std::int32_t store(std::int64_t v) { return static_cast<std::int32_t>(v); }
};
template <>
struct FillStorage<DataType::i64> {
  using Stored = std::int64_t;
  using Computed = std::int64_t;
  DETBENCH_HOST_DEVICE static std::int64_t store(std::int64_t v) { return v; }
};
template <>
struct FillStorage<DataType::u8> {
  using Stored = std::uint8_t;
  using Computed = std::int64_t;
  DETBENCH_HOST_DEVICE static std::uint8_t store(std::int64_t v) { return static_cast<std::uint8_t>(v); }
};

/// Checks a fill against the type it is asked of and makes it ready. Errors name the field, its value and its range.
Result<FillPlan> plan_fill(DataType type, const FillSpec& spec);

/// Calls visit.template operator()<type>() for a type known at run time only.
template <class Visit>
auto with_data_type(DataType type, Visit&& visit) {
  switch (type) {
    case DataType::f64: return visit.template operator()<DataType::f64>();
    case DataType::f16: return visit.template operator()<DataType::f16>();
    case DataType::bf16: return visit.template operator()<DataType::bf16>();
    case DataType::i32: return visit.template operator()<DataType::i32>();
    case DataType::i64: return visit.template operator()<DataType::i64>();
    case DataType::u8: return visit.template operator()<DataType::u8>();
    default: return visit.template operator()<DataType::f32>();
  }
}

}  // namespace detbench
