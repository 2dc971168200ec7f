// The fixed-order convolutions' kernels. Every result's chain is walked by one thread, so the grid decides no bit.
#include "kernels/convolution/fixed_order_chains.hpp"
#include "kernels/convolution/fixed_order_cuda.hpp"
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

/// Parts of chunk i / size; where there is one chunk they are the results.
template <class In, class Out>
struct WgradParts {
  ChainShape p;
  const typename In::Stored *src, *diff_dst;
  typename Out::Stored* parts;
  __device__ void operator()(std::int64_t i) const {
    parts[i] = Out::narrow(wgrad_part<In>(p, src, diff_dst, i / p.weights(), i % p.weights()));
  }
};

template <class Out>
struct JoinChunks {
  const float* parts;
  std::int64_t chunks, size;
  typename Out::Stored* out;
  __device__ void operator()(std::int64_t i) const { out[i] = Out::narrow(joined_chunks(parts, chunks, size, i)); }
};

template <class In, class Out>
Status enqueue_typed(const ConvolutionProblem& problem, const void* first, const void* second, void* output, void* workspace, void* stream) {
  const auto p = ChainShape::of(problem);
  const auto *a = static_cast<const typename In::Stored*>(first), *b = static_cast<const typename In::Stored*>(second);
  auto* out = static_cast<typename Out::Stored*>(output);
  switch (problem.direction) {
    case Direction::forward: return simple_cuda::enqueue_for_each(p.mb * p.oh * p.ow * p.oc, Forward<In, Out>{p, a, b, out}, stream);
    case Direction::dgrad: return simple_cuda::enqueue_for_each(p.mb * p.ih * p.iw * p.ic, Dgrad<In, Out>{p, a, b, out}, stream);
    default: break;
  }
  if (p.chunks == 1) return simple_cuda::enqueue_for_each(p.weights(), WgradParts<In, Out>{p, a, b, out}, stream);
  auto* parts = static_cast<float*>(workspace);
  if (auto s = simple_cuda::enqueue_for_each(p.chunks * p.weights(), WgradParts<In, F32>{p, a, b, parts}, stream); !s) return s;
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
