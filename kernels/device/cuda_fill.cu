// Fills on the GPU: one thread per Philox group, by the arithmetic that the host uses.
#include "kernels/device/cuda_check.hpp"
#include "kernels/device/cuda_kernels.hpp"
#include "kernels/tensor/fill_arithmetic.hpp"
#include "kernels/tensor/layout_index.hpp"

namespace detbench::cuda {
namespace {

constexpr int block_threads = 256;
constexpr std::int64_t most_blocks = 1 << 16;

template <class T>
__device__ void store_element(unsigned char* memory, std::int64_t offset, T value, bool aligned) {
  if (aligned) {
    reinterpret_cast<T*>(memory)[offset] = value;
    return;
  }
  unsigned char bytes[sizeof(T)];
  memcpy(bytes, &value, sizeof(T));
  for (unsigned i = 0; i < sizeof(T); ++i) memory[offset * static_cast<std::int64_t>(sizeof(T)) + i] = bytes[i];
}

template <DataType type>
__global__ void __launch_bounds__(block_threads)
    fill_groups(unsigned char* memory, const __grid_constant__ LayoutIndex layout, FillPlan plan, bool aligned) {
  using Storage = FillStorage<type>;
  using Group = FillGroup<typename Storage::Computed>;
  const int size = Group::size(plan.kind), calls = Group::calls(plan.kind);
  const std::int64_t groups = (layout.elements + size - 1) / size,
                     step = static_cast<std::int64_t>(gridDim.x) * block_threads;
  for (std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x; group < groups;
       group += step) {
    typename Storage::Computed values[Group::max_size];
    PhiloxWords words[max_fill_calls];
#pragma unroll
    for (int call = 0; call < max_fill_calls; ++call)
      if (call < calls)
        words[call] = philox4x32(static_cast<std::uint64_t>(group), static_cast<std::uint32_t>(call), 0, plan.key);
    Group::convert(plan, words, static_cast<std::uint64_t>(group), values);
#pragma unroll
    for (int j = 0; j < Group::max_size; ++j) {
      const std::int64_t element = group * size + j;
      if (j < size && element < layout.elements)
        store_element(memory, layout.offset(element), Storage::store(values[j]), aligned);
    }
  }
}

}  // namespace

Status enqueue_fill(const Tensor& tensor, const FillSpec& spec, cudaStream_t stream) {
  const auto plan = plan_fill(tensor.spec.type, spec);
  if (!plan) return tl::unexpected<Reason>(plan.error());
  const auto layout = make_layout_index(tensor.spec);
  if (!layout) return tl::unexpected<Reason>(layout.error());
  if (tensor.spec.layout.elements != layout->elements) {
    const Status zeroed = enqueue_poison({tensor.region.data, tensor.spec.bytes()}, Poison::zero, 0, stream);
    if (!zeroed) return zeroed;
  }
  if (layout->elements == 0) return {};
  const std::int64_t blocks = (layout->elements + block_threads - 1) / block_threads;
  const auto grid = static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks);
  auto* memory = static_cast<unsigned char*>(tensor.region.data);
  const bool aligned = reinterpret_cast<std::uintptr_t>(memory) % size_of(tensor.spec.type) == 0;
  with_data_type(tensor.spec.type, [&]<DataType type>() {
    fill_groups<type><<<grid, block_threads, 0, stream>>>(memory, *layout, *plan, aligned);
  });
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace detbench::cuda
