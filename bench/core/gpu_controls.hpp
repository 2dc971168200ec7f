// The controls on a GPU: the same hazards, planted in kernels. Plain header; where the build has no CUDA the factory
// answers with the reason.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "bench/core/control_sums.hpp"
#include "kernels/op.hpp"

namespace detbench {

/// What a control on a GPU gets to work with: device memory and a stream.
struct GpuControlView {
  const float* in = nullptr;
  float* out = nullptr;
  std::int64_t targets = 0;
  void* workspace = nullptr;  ///< targets * max(8, 4 * partials) bytes
  int partials = 1;           ///< of partial_per_multiprocessor: the target, or what the GPU has
};

/// The op of a control by name (bench/core/controls.hpp). Unsupported without CUDA.
Result<std::unique_ptr<Op>> make_gpu_control(std::string_view name, const GpuControlView& view, Stream& stream);

}  // namespace detbench
