// Types that values are stored in while arithmetic is f32: how a kernel that is written once reads and rounds them, the
// same on the host and on a GPU.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "kernels/tensor/float_formats.hpp"
#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

struct F32 {
  using Stored = float;
  DETBENCH_HOST_DEVICE static float widen(float value) { return value; }
  DETBENCH_HOST_DEVICE static float narrow(float value) { return value; }
};
struct F16 {
  using Stored = std::uint16_t;
  DETBENCH_HOST_DEVICE static float widen(std::uint16_t bits) { return float_from_f16(bits); }
  DETBENCH_HOST_DEVICE static std::uint16_t narrow(float value) { return f16_from_float(value); }
};
struct Bf16 {
  using Stored = std::uint16_t;
  DETBENCH_HOST_DEVICE static float widen(std::uint16_t bits) { return float_from_bf16(bits); }
  DETBENCH_HOST_DEVICE static std::uint16_t narrow(float value) { return bf16_from_float(value); }
};

/// Calls f(F32{}), f(F16{}) or f(Bf16{}); any other type counts as f32, so that it has to be refused before.
template <class F>
decltype(auto) with_stored_type(DataType type, F&& f) {
  switch (type) {
    case DataType::f16: return std::forward<F>(f)(F16{});
    case DataType::bf16: return std::forward<F>(f)(Bf16{});
    default: return std::forward<F>(f)(F32{});
  }
}

/// fma(a, b, c) by name: device code is compiled without contraction, and so is the host's.
DETBENCH_HOST_DEVICE inline float fused_multiply_add(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, c);
#else
  return std::fmaf(a, b, c);
#endif
}

}  // namespace detbench
