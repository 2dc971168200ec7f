// Launches of kernels, and what can be asked about a kernel.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tests/emulated_gpu/limits.hpp"
#include "tests/emulated_gpu/registration.hpp"
#include "tests/emulated_gpu/runtime.hpp"

using namespace detbench::emulated;

namespace {

/// Calls body(state, kernel, attributes), or says why there is no such kernel or the machine cannot run it.
template <class Body>
cudaError_t call_with(const void* function, Body body) {
  return call([&](Runtime& state, auto&) {
    CUkern_st* kernel = find_kernel(function);
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    try {
      return body(state, *kernel, kernel->attributes());
    } catch (const Fault& fault) {
      std::fprintf(stderr, "emulated GPU: %s: %s\n", kernel->name.c_str(), fault.what());
      return cudaErrorInvalidKernelImage;
    }
  });
}

std::size_t dynamic_shared_limit(const CUkern_st& kernel, const Program::Attributes& attributes, const Shape& shape) {
  if (kernel.dynamic_shared_limit >= 0) return static_cast<std::size_t>(kernel.dynamic_shared_limit);
  return shape.static_shared_bytes - std::min(shape.static_shared_bytes, attributes.static_shared_bytes);
}

cudaError_t check_sizes(const dim3& grid, const dim3& block, const Program::Attributes& attributes) {
  constexpr auto most_threads = static_cast<unsigned>(limits::threads_per_block), most_grid_yz = static_cast<unsigned>(limits::grid_yz);
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0) return cudaErrorInvalidConfiguration;
  if (grid.x > static_cast<unsigned>(limits::grid_x) || grid.y > most_grid_yz || grid.z > most_grid_yz) return cudaErrorInvalidConfiguration;
  if (block.x > most_threads || block.y > most_threads || block.z > static_cast<unsigned>(limits::block_z)) return cudaErrorInvalidConfiguration;
  const auto threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads > most_threads) return cudaErrorInvalidConfiguration;
  return threads > static_cast<std::uint64_t>(attributes.max_threads_per_block) ? cudaErrorInvalidValue : cudaSuccess;
}

std::vector<std::byte> laid_out(const Program::Attributes& attributes, void** arguments) {
  std::vector<std::byte> parameters(attributes.parameter_bytes);
  for (std::size_t i = 0; i < attributes.parameter_sizes.size(); ++i)
    std::memcpy(parameters.data() + attributes.parameter_offsets[i], arguments[i], attributes.parameter_sizes[i]);
  return parameters;
}

}  // namespace

extern "C" {

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes, cudaStream_t handle) {
  return call_with(function, [&](Runtime& state, CUkern_st& kernel, const Program::Attributes& attributes) {
    CUstream_st* stream = state.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (const auto error = check_sizes(grid, block, attributes); error != cudaSuccess) return error;
    if (shared_bytes > dynamic_shared_limit(kernel, attributes, state.shape)) return cudaErrorInvalidValue;
    if (!arguments && !attributes.parameter_sizes.empty()) return cudaErrorInvalidValue;
    Launch launch{nullptr, kernel.name, {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes, laid_out(attributes, arguments)};
    Shape shape = state.shape;
    if (stream->multiprocessors > 0) shape.multiprocessors = stream->multiprocessors;
    return enqueue(*stream, [&state, launch = std::move(launch), code = kernel.code, shape] {
      const std::lock_guard lock(code->mutex());
      Launch now = launch;
      now.program = code->program();
      // No launch is like the one before it.
      static std::uint64_t launches = 0;
      Schedule schedule = state.schedule;
      schedule.seed += 0x9e3779b97f4a7c15ull * launches++;
      return std::make_unique<Run>(std::move(now), shape, schedule, state.memory);
    });
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* asked, const void* function) {
  return call_with(function, [&](Runtime& state, const CUkern_st& kernel, const Program::Attributes& attributes) {
    if (!asked) return cudaErrorInvalidValue;
    *asked = {};
    asked->sharedSizeBytes = attributes.static_shared_bytes;
    asked->constSizeBytes = attributes.constant_bytes;
    asked->localSizeBytes = attributes.local_bytes;
    asked->maxThreadsPerBlock = attributes.max_threads_per_block;
    // PTX has more registers than the assembler behind it would leave, so the limits it would keep to are kept here.
    asked->numRegs = std::min({attributes.registers, limits::registers_per_thread, limits::registers / std::max(1, attributes.max_threads_per_block)});
    asked->ptxVersion = asked->binaryVersion = 90;
    asked->maxDynamicSharedSizeBytes = static_cast<int>(dynamic_shared_limit(kernel, attributes, state.shape));
    asked->preferredShmemCarveout = -1;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  return call_with(function, [&](Runtime& state, CUkern_st& kernel, const Program::Attributes& attributes) {
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return value >= -1 && value <= 100 ? cudaSuccess : cudaErrorInvalidValue;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0) return cudaErrorInvalidValue;
    if (attributes.static_shared_bytes + static_cast<std::size_t>(value) > state.shape.shared_bytes_per_block) return cudaErrorInvalidValue;
    kernel.dynamic_shared_limit = value;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function, int block_threads, std::size_t shared_bytes,
                                                                   unsigned) {
  return call_with(function, [&](Runtime& state, const CUkern_st& kernel, const Program::Attributes& attributes) {
    if (!blocks || block_threads <= 0) return cudaErrorInvalidValue;
    *blocks = 0;
    if (block_threads > attributes.max_threads_per_block || shared_bytes > dynamic_shared_limit(kernel, attributes, state.shape)) return cudaSuccess;
    const int threads = (block_threads + limits::warp_lanes - 1) / limits::warp_lanes * limits::warp_lanes;
    const auto shared = static_cast<int>(attributes.static_shared_bytes + shared_bytes) + limits::reserved_shared_bytes;
    *blocks = std::min({limits::blocks_per_multiprocessor, limits::threads_per_multiprocessor / threads, limits::shared_bytes_per_multiprocessor / shared});
    return cudaSuccess;
  });
}
}
