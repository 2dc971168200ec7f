// Launches of depthwise_window.hpp, which says what a thread does and why in that order.
#include "kernels/convolution/depthwise_cuda.hpp"

#include <type_traits>

#include "kernels/convolution/depthwise_window.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::fixed_order {
namespace {

template <class Work>
__global__ void __launch_bounds__(Work::threads) gather(const Work work) {
  __shared__ alignas(16) typename Work::Filters filters;
  work.stage(blockIdx.x, static_cast<int>(threadIdx.x), filters);
  __syncthreads();
  work.walk(blockIdx.x, static_cast<int>(threadIdx.x), filters);
}

template <class Sums, bool Atomic>
struct PutSums {
  Sums sums;
  float* target;
  __device__ void operator()(std::int64_t index) const {
    const std::int64_t weights = sums.p.weights();
    float* const to = target;
    sums.walk(index, [&](std::int64_t weight, std::int64_t chunk, float sum) {
      if constexpr (Atomic) atomicAdd(to + weight, sum);
      else to[chunk * weights + weight] = sum;
    });
  }
};

/// Few threads to a block: chains are long and there are few of them, so that blocks should spread over the whole GPU.
constexpr int sum_threads = 64;
template <class Work>
__global__ void __launch_bounds__(sum_threads) walk_sums(std::int64_t size, const Work work) {
  const std::int64_t index = std::int64_t{blockIdx.x} * sum_threads + threadIdx.x;
  if (index < size) work(index);
}

template <class Out>
struct RoundSums {
  const float* sums;
  typename Out::Stored* out;
  __device__ void operator()(std::int64_t i) const { out[i] = Out::narrow(sums[i]); }
};

template <class In, class Window>
Status launch_gather(const ConvolutionProblem& p, const void* in, const void* weights, void* out, bool out_is_f32, void* stream) {
  constexpr std::int64_t most_blocks = 132 * 16;  // then a block goes through several units with the filters it has
  const auto work = DepthwiseGather<In, Window>::of(p, in, weights, out, out_is_f32, most_blocks);
  gather<<<static_cast<unsigned>(work.blocks()), work.threads, 0, simple_cuda::stream_of(stream)>>>(work);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

template <class In, int K>
Status launch_window(const ConvolutionProblem& p, const void* in, const void* weights, void* out, bool out_is_f32, void* stream) {
  const auto with = [&](auto window) { return launch_gather<In, decltype(window)>(p, in, weights, out, out_is_f32, stream); };
  if (p.direction == Direction::forward) return p.sh == 1 ? with(DepthwiseWindow<K, 1, false>{}) : with(DepthwiseWindow<K, 2, false>{});
  if (p.sh == 1) return with(DepthwiseWindow<K, 1, true>{});
  return p.pl % 2 == 0 ? with(DepthwiseWindow<K, 2, true, 0>{}) : with(DepthwiseWindow<K, 2, true, 1>{});
}

template <class Sums>
Status launch_sums(const Sums& sums, float* target, bool atomic, void* stream) {
  const std::int64_t blocks = (sums.size() + sum_threads - 1) / sum_threads;
  if (blocks > 0x7FFFFFFF) return unsupported("the weight gradient has " + std::to_string(blocks) + " blocks of chains, a grid has at most 2^31 - 1");
  const auto launch = [&](auto work) {
    walk_sums<<<static_cast<unsigned>(blocks), sum_threads, 0, simple_cuda::stream_of(stream)>>>(sums.size(), work);
  };
  if (atomic) {
    if (auto s = simple_cuda::enqueue_zero(target, static_cast<std::size_t>(sums.p.weights()) * sizeof(float), stream); !s) return s;
    launch(PutSums<Sums, true>{sums, target});
  } else {
    launch(PutSums<Sums, false>{sums, target});
  }
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace

bool takes_depthwise_gather(const ConvolutionProblem& p, const void* in, const void* out, bool out_is_f32) {
  const auto aligned = [](const void* at, std::size_t bytes) { return reinterpret_cast<std::uintptr_t>(at) % bytes == 0; };
  const std::size_t stored = 4 * size_of(p.types.storage);
  return fits_depthwise(p) && p.g % 4 == 0 && aligned(in, stored) && aligned(out, out_is_f32 ? 16 : stored);
}

Status enqueue_depthwise_gather(const ConvolutionProblem& p, const void* in, const void* weights, void* out, bool out_is_f32, void* stream) {
  return with_stored_type(p.types.storage, [&](auto type) {
    using In = decltype(type);
    return p.kh == 3 ? launch_window<In, 3>(p, in, weights, out, out_is_f32, stream) : launch_window<In, 5>(p, in, weights, out, out_is_f32, stream);
  });
}

Status enqueue_depthwise_sums(const ConvolutionProblem& p, const void* src, const void* diff_dst, float* sums, bool atomic, void* stream) {
  return with_stored_type(p.types.storage, [&](auto type) {
    using In = decltype(type);
    const auto with = [&](auto k, auto stride) {
      return launch_sums(DepthwiseSums<In, decltype(k)::value, decltype(stride)::value>::of(p, src, diff_dst), sums, atomic, stream);
    };
    const auto strided = [&](auto k) { return p.sh == 1 ? with(k, std::integral_constant<int, 1>{}) : with(k, std::integral_constant<int, 2>{}); };
    return p.kh == 3 ? strided(std::integral_constant<int, 3>{}) : strided(std::integral_constant<int, 5>{});
  });
}

Status enqueue_round_sums(const ConvolutionProblem& p, const float* sums, void* out, void* stream) {
  return with_stored_type(p.types.weight_gradient, [&](auto type) {
    using Out = decltype(type);
    return simple_cuda::enqueue_for_each(element_count(p.weights_shape()), RoundSums<Out>{sums, static_cast<typename Out::Stored*>(out)}, stream);
  });
}

}  // namespace detbench::fixed_order
