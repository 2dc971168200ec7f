// f16 and bf16 as bits: conversion to and from f32 by integer operations, rounded to nearest even as the hardware does,
// so that no compiler, instruction set or library decides them.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"

namespace detbench {

// memcpy of the bits: defined behaviour on host and device, and free after optimization.
DETBENCH_HOST_DEVICE inline std::uint32_t float_bits(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
DETBENCH_HOST_DEVICE inline float float_from_bits(std::uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
DETBENCH_HOST_DEVICE inline std::uint64_t double_bits(double value) {
  std::uint64_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}
DETBENCH_HOST_DEVICE inline double double_from_bits(std::uint64_t bits) {
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/// f32 -> bf16, nearest even; overflow gives infinity; a NaN keeps the top of its payload and becomes quiet.
DETBENCH_HOST_DEVICE inline std::uint16_t bf16_from_float(float value) {
  const std::uint32_t bits = float_bits(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

/// bf16 -> f32, exact.
DETBENCH_HOST_DEVICE inline float float_from_bf16(std::uint16_t bits) {
  return float_from_bits(static_cast<std::uint32_t>(bits) << 16);
}

/// f32 -> f16, nearest even, denormals kept; overflow gives infinity; a NaN keeps the top of its payload and becomes
/// quiet.
DETBENCH_HOST_DEVICE inline std::uint16_t f16_from_float(float value) {
  const std::uint32_t bits = float_bits(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u | (magnitude >> 13 & 0x3FFu));
  if (magnitude >= 0x477FF000u)
    return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65520 and above round up to infinity
  std::uint32_t kept, rest, half;
  if (magnitude >= 0x38800000u) {  // 2^-14 and above: a normal f16; rebias the exponent by 127 - 15
    kept = (magnitude - 0x38000000u) >> 13;
    rest = magnitude & 0x1FFFu;
    half = 0x1000u;
  } else {  // a denormal f16, in units of 2^-24: shift the 24-bit significand to where its unit is 2^-24
    const std::uint32_t exponent = magnitude >> 23;
    if (exponent < 102) return static_cast<std::uint16_t>(sign);  // below 2^-25: less than half a unit
    const std::uint32_t significand = (magnitude & 0x7FFFFFu) | 0x800000u, shift = 126 - exponent;
    kept = significand >> shift;
    half = 1u << (shift - 1);
    rest = significand & ((half << 1) - 1);
  }
  kept += rest > half || (rest == half && (kept & 1u));  // a carry into the exponent is the right result
  return static_cast<std::uint16_t>(sign | kept);
}

/// f16 -> f32, exact; a signalling NaN becomes quiet, as in the conversion instructions.
DETBENCH_HOST_DEVICE inline float float_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1Fu, fraction = bits & 0x3FFu;
  if (exponent == 0x1F) return float_from_bits(sign | 0x7F800000u | (fraction ? 0x400000u | fraction << 13 : 0u));
  if (exponent) return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero or denormal: exact in f32
  return float_from_bits(sign | float_bits(magnitude));
}

}  // namespace detbench
