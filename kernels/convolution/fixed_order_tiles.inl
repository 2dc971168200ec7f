// The launches of fixed_order_tiles.hpp, written once over the stored type and compiled in a file per type, so that a build
// compiles them side by side. Included by .cu files alone.
#include <algorithm>
#include <type_traits>

#include "kernels/convolution/fixed_order_tiles.hpp"
#include "kernels/device/cuda_check.hpp"

namespace detbench::fixed_order {
namespace {

template <class Work, class Shape, int Vector>
__global__ void __launch_bounds__(Shape::threads) walk_tile(const Work work) {
  using Thread = TileThread<Work, Shape, Vector>;
  __shared__ typename Thread::Shared shared;
  const int thread = static_cast<int>(threadIdx.x);
  const auto place = work.place(blockIdx.x, Shape::rows, Shape::columns);
  Thread::find_rows(thread, work, place, shared);
  __syncthreads();
  Thread own;
  if (place.links > 0) {
    own.fetch(thread, work, place, shared, 0);
    own.stage(thread, shared, 0);
  }
  __syncthreads();
  int half = 0;
  for (std::int32_t first = 0; first < place.links; first += stage_depth, half ^= 1) {
    const bool more = place.links - first > stage_depth;
    if (more) own.fetch(thread, work, place, shared, first + stage_depth);  // on its way while the others are multiplied
    own.multiply(thread, shared, half, place.links - first);
    if (more) own.stage(thread, shared, half ^ 1);
    __syncthreads();
  }
  own.finish(thread, work, place, shared);
}

template <class Work, class Shape, int Vector>
Status launch(const Work& work, void* stream) {
  if (work.blocks() == 0) return {};
  if (work.blocks() > 0x7FFFFFFF)
    return unsupported("the convolution has " + std::to_string(work.blocks()) + " tiles, a grid has at most 2^31 - 1 blocks");
  walk_tile<Work, Shape, Vector><<<static_cast<unsigned>(work.blocks()), Shape::threads, 0, static_cast<cudaStream_t>(stream)>>>(work);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

template <class In, bool Dgrad>
Status enqueue_pattern(const ConvolutionProblem& p, const TapPattern& pattern, const void* in, const void* weights, void* out, bool out_is_f32,
                       bool vectors, void* stream) {
  using Work = Gather<In, Dgrad>;
  const auto with = [&](auto shape, auto vector) {
    using Shape = decltype(shape);
    return launch<Work, Shape, decltype(vector)::value>(Work::of(p, pattern, in, weights, out, out_is_f32, Shape::rows, Shape::columns), stream);
  };
  using Four = std::integral_constant<int, 4>;
  using One = std::integral_constant<int, 1>;
  const auto kind = choose_tile(p.g, p.mb * pattern.rows * pattern.columns, Dgrad ? p.icg() : p.ocg());
  // Single elements are for few and odd channels: two tiles are enough.
  if (!vectors) return kind == TileKind::t128x128 || kind == TileKind::t128x64 || kind == TileKind::t128x32 ? with(Tile128x32{}, One{}) : with(Tile32x32{}, One{});
  switch (kind) {
    case TileKind::t128x128: return with(Tile128x128{}, Four{});
    case TileKind::t128x64: return with(Tile128x64{}, Four{});
    case TileKind::t64x64: return with(Tile64x64{}, Four{});
    case TileKind::t128x32: return with(Tile128x32{}, Four{});
    case TileKind::t128x16: return with(Tile128x16{}, Four{});
    default: return with(Tile32x32{}, Four{});
  }
}

}  // namespace

template <class In>
Status enqueue_gather_tiles(const ConvolutionProblem& p, const void* in, const void* weights, void* out, bool out_is_f32, bool vectors, void* stream) {
  if (p.direction == Direction::forward) return enqueue_pattern<In, false>(p, forward_pattern(p), in, weights, out, out_is_f32, vectors, stream);
  for (std::int64_t y = 0; y < std::min(p.sh, p.ih); ++y)
    for (std::int64_t x = 0; x < std::min(p.sw, p.iw); ++x)
      if (auto s = enqueue_pattern<In, true>(p, dgrad_pattern(p, y, x), in, weights, out, out_is_f32, vectors, stream); !s) return s;
  return {};
}

template <class In>
Status enqueue_pixel_tiles(const ConvolutionProblem& p, const void* src, const void* diff_dst, float* parts, bool vectors, void* stream) {
  using Work = PixelChains<In>;
  const auto with = [&](auto shape, auto vector) {
    using Shape = decltype(shape);
    return launch<Work, Shape, decltype(vector)::value>(Work::of(p, src, diff_dst, parts, Shape::rows, Shape::columns), stream);
  };
  using Four = std::integral_constant<int, 4>;
  using One = std::integral_constant<int, 1>;
  const auto kind = choose_tile(wgrad_chunks(p) * p.g * p.kh * p.kw, p.ocg(), p.icg());
  if (!vectors) return kind == TileKind::t16x16 ? with(Tile16x16{}, One{}) : with(Tile32x32{}, One{});
  switch (kind) {
    case TileKind::t128x128:
    case TileKind::t128x64: return with(Tile128x64{}, Four{});
    case TileKind::t64x64: return with(Tile64x64{}, Four{});
    case TileKind::t16x16: return with(Tile16x16{}, Four{});
    default: return with(Tile32x32{}, Four{});
  }
}

}  // namespace detbench::fixed_order
