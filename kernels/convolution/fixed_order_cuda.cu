// The fixed-order convolutions on a GPU. Every result's chain is walked by one thread, so neither the grid nor the choice
// among the kernels decides a bit: tiles where a group has channels to share, windows for depthwise filters, a thread per
// result for the rest.
#include <algorithm>

#include "kernels/convolution/depthwise_cuda.hpp"
#include "kernels/convolution/depthwise_window.hpp"
#include "kernels/convolution/fixed_order_chains.hpp"
#include "kernels/convolution/fixed_order_cuda.hpp"
#include "kernels/convolution/fixed_order_tiles.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::fixed_order {
namespace {

template <class In, class Out>
struct Forward {
  ChainShape p;
  const typename In::Stored *src, *weights;
  typename Out::Stored* dst;
  __device__ void operator()(std::int64_t i) const { dst[i] = Out::narrow(forward_result<In>(p, src, weights, i)); }
};

template <class In, class Out>
struct Dgrad {
  ChainShape p;
  const typename In::Stored *diff_dst, *weights;
  typename Out::Stored* diff_src;
  __device__ void operator()(std::int64_t i) const { diff_src[i] = Out::narrow(dgrad_result<In>(p, diff_dst, weights, i)); }
};

/// All chunks' parts.
template <class In>
struct WgradParts {
  ChainShape p;
  const typename In::Stored *src, *diff_dst;
  float* parts;
  __device__ void operator()(std::int64_t i) const { parts[i] = wgrad_part<In>(p, src, diff_dst, i / p.weights(), i % p.weights()); }
};

template <class Out>
struct JoinChunks {
  const float* parts;
  std::int64_t chunks, size;
  typename Out::Stored* out;
  __device__ void operator()(std::int64_t i) const { out[i] = Out::narrow(joined_chunks(parts, chunks, size, i)); }
};

bool takes_tiles(const ConvolutionProblem& p) {
  constexpr std::int64_t fewest_channels = 8, most_patterns = 16;
  if (!fits_tiles(p)) return false;
  switch (p.direction) {
    case Direction::forward: return p.ocg() >= fewest_channels;
    case Direction::dgrad: return p.icg() >= fewest_channels && p.sh * p.sw <= most_patterns;
    default: return !p.depthwise();
  }
}

template <class In>
bool takes_vectors(const ConvolutionProblem& p, std::initializer_list<const void*> inputs) {
  return fits_vectors(p) && std::ranges::all_of(inputs, [](const void* at) { return reinterpret_cast<std::uintptr_t>(at) % sizeof(Group<In, 4>) == 0; });
}

template <class In, class Out>
Status enqueue_typed(const ConvolutionProblem& problem, const void* first, const void* second, void* output, void* workspace, void* stream) {
  const auto p = ChainShape::of(problem);
  const auto *a = static_cast<const typename In::Stored*>(first), *b = static_cast<const typename In::Stored*>(second);
  auto* out = static_cast<typename Out::Stored*>(output);
  const bool tiles = takes_tiles(problem), vectors = takes_vectors<In>(problem, {first, second});
  if (problem.direction != Direction::wgrad) {
    if (takes_depthwise_gather(problem, first, output, std::is_same_v<Out, F32>))
      return enqueue_depthwise_gather(problem, first, second, output, std::is_same_v<Out, F32>, stream);
    if (tiles) return enqueue_gather_tiles<In>(problem, first, second, output, std::is_same_v<Out, F32>, vectors, stream);
    if (problem.direction == Direction::forward) return simple_cuda::enqueue_for_each(p.mb * p.oh * p.ow * p.oc, Forward<In, Out>{p, a, b, out}, stream);
    return simple_cuda::enqueue_for_each(p.mb * p.ih * p.iw * p.ic, Dgrad<In, Out>{p, a, b, out}, stream);
  }
  // One chunk's part is the result, where it is stored as it is.
  const bool in_place = p.chunks == 1 && std::is_same_v<Out, F32>;
  auto* parts = static_cast<float*>(in_place ? output : workspace);
  const auto summed = tiles                       ? enqueue_pixel_tiles<In>(problem, first, second, parts, vectors, stream)
                      : fits_depthwise(problem) ? enqueue_depthwise_sums(problem, first, second, parts, false, stream)
                                                : simple_cuda::enqueue_for_each(p.chunks * p.weights(), WgradParts<In>{p, a, b, parts}, stream);
  if (!summed || in_place) return summed;
  return simple_cuda::enqueue_for_each(p.weights(), JoinChunks<Out>{parts, p.chunks, p.weights(), out}, stream);
}

}  // namespace

Status enqueue_on_gpu(const ConvolutionProblem& problem, const void* first, const void* second, void* output, DataType output_type,
                      void* workspace, void* stream) {
  const DataType storage = problem.types.storage;
  if (output_type != DataType::f32 && output_type != storage) return invalid_input("fixed-order convolutions store f32 or the inputs' type");
  return with_stored_type(storage, [&](auto in) {
    using In = decltype(in);
    if (output_type == DataType::f32) return enqueue_typed<In, F32>(problem, first, second, output, workspace, stream);
    return enqueue_typed<In, In>(problem, first, second, output, workspace, stream);
  });
}

}  // namespace detbench::fixed_order
