#include "kernels/normalization/cuda_support.hpp"

#include "kernels/normalization/cuda_elements.hpp"
#include "kernels/normalization/order.hpp"

namespace detbench::normalization {
namespace {

using reduction::ChannelMemory;
constexpr int channel_block = 256;

__global__ void variance_from_inverse(const float* inverse, float* variance, std::int64_t channels) {
  const std::int64_t c = std::int64_t{blockIdx.x} * channel_block + threadIdx.x;
  if (c >= channels) return;
  const float found = 1.0f / (inverse[c] * inverse[c]) - batch_norm_epsilon;
  variance[c] = found < 0.0f ? 0.0f : found;  // a NaN stays one
}
__global__ void inverse_from_variance(const float* variance, float* inverse, std::int64_t channels) {
  const std::int64_t c = std::int64_t{blockIdx.x} * channel_block + threadIdx.x;
  if (c < channels) inverse[c] = inverse_deviation(variance[c], batch_norm_epsilon);
}
unsigned blocks_for(std::int64_t channels) { return static_cast<unsigned>((channels + channel_block - 1) / channel_block); }

template <class Stored, Activation A>
struct Through {
  const typename Stored::Word *x, *dy;
  typename Stored::Word* to;
  const float *mean, *variance, *gamma, *beta;
  DETBENCH_HOST_DEVICE Affine constants(std::int64_t c) const { return affine_of(gamma[c], beta[c], mean[c], variance[c], batch_norm_epsilon); }
  DETBENCH_HOST_DEVICE void operator()(const Affine& k, std::int64_t at) const {
    to[at] = Stored::store(through<A>(Stored::load(dy[at]), Stored::load(x[at]) * k.scale + k.shift));
  }
};
template <class Stored, Activation A>
struct Activate {
  typename Stored::Word* y;
  struct Constants {};
  DETBENCH_HOST_DEVICE Constants constants(std::int64_t) const { return {}; }
  DETBENCH_HOST_DEVICE void operator()(Constants, std::int64_t at) const { y[at] = Stored::store(activated<A>(Stored::load(y[at]))); }
};

template <class Work>
Status over_elements(const BatchNormProblem& p, const Work& work, void* native_stream) {
  const ChannelMemory memory{p.pixels(), p.height * p.width, p.channels};
  const auto stream = static_cast<cudaStream_t>(native_stream);
  return p.layout == "nhwc" ? enqueue_elements<true>(memory, work, stream) : enqueue_elements<false>(memory, work, stream);
}

/// Calls use(storage, activation) with both as types.
template <class Use>
Status with_types(const BatchNormProblem& p, Use&& use) {
  return with_activation(p.activation, [&](auto is) {
    switch (p.storage) {
      case DataType::f16: return use(reduction::StoredF16{}, is);
      case DataType::bf16: return use(reduction::StoredBf16{}, is);
      default: return use(reduction::StoredF32{}, is);
    }
  });
}

}  // namespace

Status enqueue_variance_from_inverse(const float* inverse, float* variance, std::int64_t channels, void* native_stream) {
  variance_from_inverse<<<blocks_for(channels), channel_block, 0, static_cast<cudaStream_t>(native_stream)>>>(inverse, variance, channels);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_inverse_from_variance(const float* variance, float* inverse, std::int64_t channels, void* native_stream) {
  inverse_from_variance<<<blocks_for(channels), channel_block, 0, static_cast<cudaStream_t>(native_stream)>>>(variance, inverse, channels);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_through(const BatchNormProblem& p, std::span<const Tensor> in, void* d, void* native_stream) {
  const auto channel = [&](std::size_t i) { return static_cast<const float*>(in[i].region.data); };
  return with_types(p, [&]<class Stored, class Is>(Stored, Is) {
    using Word = typename Stored::Word;
    return over_elements(p, Through<Stored, Is::value>{static_cast<const Word*>(in[0].region.data), static_cast<const Word*>(in[1].region.data),
                                              static_cast<Word*>(d), channel(2), channel(3), channel(4), channel(5)}, native_stream);
  });
}

Status enqueue_activation(const BatchNormProblem& p, void* activation, void* native_stream) {
  return with_types(p, [&]<class Stored, class Is>(Stored, Is) {
    return over_elements(p, Activate<Stored, Is::value>{static_cast<typename Stored::Word*>(activation)}, native_stream);
  });
}

}  // namespace detbench::normalization
