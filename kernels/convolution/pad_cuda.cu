// Padding and cropping on a GPU: every element of the target is written once, by one thread, from at most one element.
#include <cuda_runtime.h>

#include <algorithm>

#include "kernels/convolution/pad.hpp"
#include "kernels/device/cuda_check.hpp"

namespace detbench {
namespace {

constexpr int block_threads = 256;
constexpr std::int64_t most_blocks = 16384;  // then each thread takes several units

template <class Unit>
__global__ void __launch_bounds__(block_threads) pad_units(PaddedRows rows, const Unit* __restrict__ from, Unit* __restrict__ to) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads, units = rows.padded_units();
  for (std::int64_t i = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; i < units; i += step) {
    const std::int64_t source = rows.source(i);
    to[i] = source < 0 ? Unit{} : from[source];
  }
}

template <class Unit>
__global__ void __launch_bounds__(block_threads) crop_units(PaddedRows rows, const Unit* __restrict__ from, Unit* __restrict__ to) {
  const std::int64_t step = std::int64_t{gridDim.x} * block_threads, units = rows.image_units();
  for (std::int64_t i = std::int64_t{blockIdx.x} * block_threads + threadIdx.x; i < units; i += step)
    to[i] = from[rows.target(i)];
}

template <class Unit>
Status launch(bool crop, const PaddedRows& rows, const void* from, void* to, cudaStream_t stream) {
  const std::int64_t units = crop ? rows.image_units() : rows.padded_units();
  const auto blocks = static_cast<unsigned>(std::min((units + block_threads - 1) / block_threads, most_blocks));
  if (crop)
    crop_units<Unit><<<blocks, block_threads, 0, stream>>>(rows, static_cast<const Unit*>(from), static_cast<Unit*>(to));
  else
    pad_units<Unit><<<blocks, block_threads, 0, stream>>>(rows, static_cast<const Unit*>(from), static_cast<Unit*>(to));
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_copy(bool crop, const TensorSpec& image, const Padding& padding, const void* from, void* to, void* stream) {
  const auto elements = padded_rows(image, padding);
  if (!elements) return tl::unexpected(elements.error());
  const auto size = size_of(image.type);
  if (size != 2 && size != 4) return invalid_input("elements of 2 and 4 bytes can be padded, not " + std::string(to_text(image.type)));
  const auto unit = unit_bytes(*elements, size, from, to);
  const auto rows = in_units(*elements, static_cast<std::int64_t>(unit / size));
  const auto native = static_cast<cudaStream_t>(stream);
  switch (unit) {
    case 16: return launch<uint4>(crop, rows, from, to, native);
    case 8: return launch<uint2>(crop, rows, from, to, native);
    case 4: return launch<std::uint32_t>(crop, rows, from, to, native);
    case 2: return launch<std::uint16_t>(crop, rows, from, to, native);
    default: return invalid_input("'" + image.role + "' does not lie at a multiple of its element's size");
  }
}

}  // namespace

Status enqueue_pad(const TensorSpec& image, const Padding& padding, const void* from, void* to, void* stream) {
  return enqueue_copy(false, image, padding, from, to, stream);
}

Status enqueue_crop(const TensorSpec& image, const Padding& padding, const void* from, void* to, void* stream) {
  return enqueue_copy(true, image, padding, from, to, stream);
}

}  // namespace detbench
