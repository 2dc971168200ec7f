// Our own reorder on a GPU: a copy where nothing moves, tiles through shared memory where the channels change places with the
// pixels, else one thread per element of the canonical order.
#include "kernels/device/reorder_cuda.hpp"
#include "kernels/device/reorder_transpose.hpp"
#include "kernels/device/reorder_types.hpp"
#include "kernels/simple_cuda.hpp"
#include "kernels/simple_operation.hpp"
#include "kernels/tensor/layout_index.hpp"

namespace detbench::reorder {
namespace {

constexpr int tile_rows = 8;  ///< rows of a tile that a block's threads take at once

template <class Conversion>
struct ConvertLinear {
  const typename ConversionTypes<Conversion>::Source* source;
  typename ConversionTypes<Conversion>::Target* target;
  template <class Index>
  __device__ void operator()(Index i) const {
    target[i] = Conversion{}(source[i]);
  }
};

template <class Conversion>
struct ConvertIndexed {
  LayoutIndex from, to;
  const typename ConversionTypes<Conversion>::Source* source;
  typename ConversionTypes<Conversion>::Target* target;
  template <class Index>
  __device__ void operator()(Index i) const {
    const auto index = static_cast<std::int64_t>(i);
    target[to.offset(index)] = Conversion{}(source[from.offset(index)]);
  }
};

/// One column more than a tile has, so that a column's elements lie in different banks.
template <class Conversion>
__global__ void __launch_bounds__(tile_size* tile_rows)
    transpose_tiles(Transpose transpose, const typename ConversionTypes<Conversion>::Source* __restrict__ source,
                    typename ConversionTypes<Conversion>::Target* __restrict__ target) {
  __shared__ typename ConversionTypes<Conversion>::Target held[tile_size][tile_size + 1];
  const int x = static_cast<int>(threadIdx.x) % tile_size, y = static_cast<int>(threadIdx.x) / tile_size;
  for (std::int64_t k = blockIdx.x; k < transpose.tiles(); k += gridDim.x) {
    const Transpose::Tile tile = transpose.tile(k);
    for (int row = y; row < tile_size; row += tile_rows)
      if (transpose.holds(tile, row, x)) held[row][x] = Conversion{}(source[transpose.source(tile, row, x)]);
    __syncthreads();
    for (int column = y; column < tile_size; column += tile_rows)
      if (transpose.holds(tile, x, column)) target[transpose.target(tile, x, column)] = held[x][column];
    __syncthreads();
  }
}

template <class Conversion>
Status enqueue(const Tensor& source, const Tensor& target, const std::optional<Transpose>& transpose, const LayoutIndex& from, const LayoutIndex& to,
               void* native) {
  const auto* in = static_cast<const typename ConversionTypes<Conversion>::Source*>(source.region.data);
  auto* out = static_cast<typename ConversionTypes<Conversion>::Target*>(target.region.data);
  if (same_places(source.spec, target.spec)) {
    if (source.spec.type != target.spec.type)
      return simple_cuda::enqueue_for_each(target.spec.layout.elements, ConvertLinear<Conversion>{in, out}, native);
    DETBENCH_CUDA_TRY(cudaMemcpyAsync(out, in, target.spec.bytes(), cudaMemcpyDeviceToDevice, simple_cuda::stream_of(native)));
    return {};
  }
  if (transpose) {
    transpose_tiles<Conversion><<<simple_cuda::blocks_for(transpose->tiles(), 1), tile_size * tile_rows, 0, simple_cuda::stream_of(native)>>>(*transpose, in, out);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  }
  if (target.spec.layout.elements != element_count(target.spec.shape))
    if (auto s = simple_cuda::enqueue_zero(out, target.spec.bytes(), native); !s) return s;
  return simple_cuda::enqueue_for_each(element_count(target.spec.shape), ConvertIndexed<Conversion>{from, to, in, out}, native);
}

}  // namespace

Status check_cuda_reorder(const TensorSpec& from, const TensorSpec& to) {
  for (const auto* spec : {&from, &to})
    if (auto index = make_layout_index(*spec); !index) return tl::unexpected(index.error());
  return {};
}

Result<std::unique_ptr<Op>> bind_cuda_reorder(const Tensor& source, const Tensor& target, Stream& stream) {
  const auto from = make_layout_index(source.spec), to = make_layout_index(target.spec);
  if (!from) return tl::unexpected(from.error());
  if (!to) return tl::unexpected(to.error());
  return std::make_unique<FunctionOp>([=, from = *from, to = *to, transpose = transpose_of(source.spec, target.spec), native = stream.native()] {
    return with_conversion(source.spec.type, target.spec.type,
                           [&](auto conversion) { return enqueue<decltype(conversion)>(source, target, transpose, from, to, native); });
  });
}

}  // namespace detbench::reorder
