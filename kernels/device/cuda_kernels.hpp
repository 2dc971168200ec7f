// The GPU half of fills, digests and poison, enqueued on a stream. Only files that are built with CUDA include this.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/device/device.hpp"

namespace detbench::cuda {

/// Adds the terms of every chunk of the tensor to the two accumulators (device memory, zeroed by the caller).
Status enqueue_digest(const Tensor& tensor, std::uint64_t* accumulators, int multiprocessors, cudaStream_t stream);

/// The same bits as fill_on_host.
Status enqueue_fill(const Tensor& tensor, const FillSpec& spec, cudaStream_t stream);

/// The same bytes as poison_on_host.
Status enqueue_poison(Region region, Poison poison, std::uint64_t seed, cudaStream_t stream);

/// The pattern of write_guard.
Status enqueue_guard(void* zone, std::size_t bytes, cudaStream_t stream);

/// Overwrites memory with values that depend on `round`, so that no write can be left out.
Status enqueue_eviction(void* memory, std::size_t bytes, std::uint32_t round, cudaStream_t stream);

/// Success when this build holds code for the current device.
Status check_kernel_image();

}  // namespace detbench::cuda
