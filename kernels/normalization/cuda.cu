// Batch norm on a GPU, twice: in the CPU's fixed order with its bits (order.hpp), and with partial sums that meet in
// atomics. Both sum the same chunks in the same way, so that they differ in how chunks meet, which is what is under test.
#include "kernels/contention.hpp"
#include "kernels/normalization/cuda_batch_norm.hpp"
#include "kernels/normalization/cuda_elements.hpp"
#include "kernels/normalization/order.hpp"

namespace detbench::normalization {
namespace {

using reduction::channel_lanes;
using reduction::channel_slots;
using reduction::channel_threads;
using reduction::ChannelMemory;

constexpr float epsilon = batch_norm_epsilon;

/// Lanes of a block's slots meet; all threads get their slot's sum.
template <bool ChannelsLast>
__device__ __forceinline__ float slot_sum(float value, float (&shared)[channel_lanes][channel_slots]) {
  const int lane = reduction::lane_of_thread<ChannelsLast>(threadIdx.x), slot = reduction::slot_of_thread<ChannelsLast>(threadIdx.x);
  __syncthreads();  // what was there before has been read
  shared[lane][slot] = value;
  __syncthreads();
  return reduction::fold_channel_lanes(&shared[0][slot], channel_slots);
}

/// Forward, fixed order: sums and squared distances from the chunk's own mean, {chunks, channels} each.
template <bool ChannelsLast, class Stored>
__global__ void __launch_bounds__(channel_threads)
    chunk_statistics(const typename Stored::Word* __restrict__ x, ChannelMemory memory, float* __restrict__ sums, float* __restrict__ squares) {
  __shared__ float shared[channel_lanes][channel_slots];
  const int lane = reduction::lane_of_thread<ChannelsLast>(threadIdx.x), slot = reduction::slot_of_thread<ChannelsLast>(threadIdx.x);
  const std::int64_t chunks = chunk_count(memory.pixels), blocks = reduction::chunk_blocks<ChannelsLast>(chunks, memory.channels);
  const auto load = [&](std::int64_t offset) { return Stored::load(x[offset]); };
  for (std::int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const auto work = reduction::slot_work<ChannelsLast>(block, slot, chunks, memory.channels);
    const bool present = work.channel < memory.channels;
    const std::int64_t first = work.chunk * chunk_pixels_of(memory.pixels), last = chunk_end(work.chunk, memory.pixels);
    float sum = 0.0f, square = 0.0f;
    if (present) reduction::for_lane<ChannelsLast>(memory, first, last, work.channel, lane, load, [&](float value) { sum += value; });
    const float total = slot_sum<ChannelsLast>(sum, shared);
    const float center = total / static_cast<float>(last - first);
    if (present)
      reduction::for_lane<ChannelsLast>(memory, first, last, work.channel, lane, load, [&](float value) {
        const float distance = value - center;
        square += distance * distance;
      });
    const float spread = slot_sum<ChannelsLast>(square, shared);
    if (lane == 0 && present) {
      sums[work.chunk * memory.channels + work.channel] = total;
      squares[work.chunk * memory.channels + work.channel] = spread;
    }
  }
}

/// Up to two sums per channel over all pixels, chunk by chunk. `Terms` has `Constants constants(channel)`,
/// `Value load(offset)` and `void add(constants, value, sums)`. Atomic: a chunk's sums are added to {2, channels}; else
/// they are stored in {2, chunks, channels}.
template <bool ChannelsLast, bool Atomic, class Terms>
__global__ void __launch_bounds__(channel_threads) chunk_terms(ChannelMemory memory, Terms terms, float* __restrict__ target) {
  __shared__ float shared[channel_lanes][channel_slots];
  const int lane = reduction::lane_of_thread<ChannelsLast>(threadIdx.x), slot = reduction::slot_of_thread<ChannelsLast>(threadIdx.x);
  const std::int64_t chunks = chunk_count(memory.pixels), blocks = reduction::chunk_blocks<ChannelsLast>(chunks, memory.channels);
  for (std::int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const auto work = reduction::slot_work<ChannelsLast>(block, slot, chunks, memory.channels);
    const bool present = work.channel < memory.channels;
    float sums[Terms::count] = {};
    if (present) {
      const auto constants = terms.constants(work.channel);
      reduction::for_lane<ChannelsLast>(
          memory, work.chunk * chunk_pixels_of(memory.pixels), chunk_end(work.chunk, memory.pixels), work.channel, lane,
          [&](std::int64_t offset) { return terms.load(offset); }, [&](const auto& value) { terms.add(constants, value, sums); });
    }
#pragma unroll
    for (int i = 0; i < Terms::count; ++i) {
      const float total = slot_sum<ChannelsLast>(sums[i], shared);
      if (lane != 0 || !present) continue;
      if constexpr (Atomic)
        atomicAdd(target + i * memory.channels + work.channel, total);
      else
        target[(i * chunks + work.chunk) * memory.channels + work.channel] = total;
    }
  }
}

template <class Stored>
struct PlainSum {
  static constexpr int count = 1;
  const typename Stored::Word* x;
  struct Constants {};
  __device__ Constants constants(std::int64_t) const { return {}; }
  __device__ float load(std::int64_t offset) const { return Stored::load(x[offset]); }
  __device__ void add(Constants, float value, float (&sums)[1]) const { sums[0] += value; }
};

template <class Stored>
struct SquaredDistances {
  static constexpr int count = 1;
  const typename Stored::Word* x;
  const float* totals;  ///< of the pass before
  float pixels;
  __device__ float constants(std::int64_t channel) const { return totals[channel] / pixels; }
  __device__ float load(std::int64_t offset) const { return Stored::load(x[offset]); }
  __device__ void add(float mean, float value, float (&sums)[1]) const {
    const float distance = value - mean;
    sums[0] += distance * distance;
  }
};

/// sum(d) and sum(d*(x - mean)).
template <class Stored, Activation A>
struct GradientSums {
  static constexpr int count = 2;
  const typename Stored::Word *x, *dy;
  const float *mean, *variance, *gamma, *beta;
  struct Constants {
    float mean;
    Affine affine;
  };
  struct Value {
    float x, dy;
  };
  __device__ Constants constants(std::int64_t c) const {
    if constexpr (A != Activation::none) return {mean[c], affine_of(gamma[c], beta[c], mean[c], variance[c], epsilon)};
    return {mean[c], {}};
  }
  __device__ Value load(std::int64_t offset) const { return {Stored::load(x[offset]), Stored::load(dy[offset])}; }
  __device__ void add(const Constants& k, const Value& v, float (&sums)[2]) const {
    const float d = through<A>(v.dy, v.x * k.affine.scale + k.affine.shift);
    sums[0] += d;
    sums[1] += d * (v.x - k.mean);
  }
};

/// 8 channels a block: the chunks' values are fetched by all threads at once, then met in order by one thread a channel.
constexpr int meet_channels = 8;
constexpr int meet_threads = 256;
__device__ __forceinline__ void fetch(const float* partials, std::int64_t chunks, std::int64_t channels, float (&to)[most_chunks][meet_channels]) {
  const std::int64_t first = std::int64_t{blockIdx.x} * meet_channels;
  for (std::int64_t i = threadIdx.x; i < chunks * meet_channels; i += meet_threads)
    if (first + i % meet_channels < channels)
      to[i / meet_channels][i % meet_channels] = partials[i / meet_channels * channels + first + i % meet_channels];
}

/// Where the forward's per-channel results go.
struct ForwardChannels {
  const float *gamma, *beta;
  float *mean, *variance, *scale, *shift;
  __device__ void write(std::int64_t c, Statistics s) const {
    const Affine affine = affine_of(gamma[c], beta[c], s.mean, s.variance, epsilon);
    mean[c] = s.mean;
    variance[c] = s.variance;
    scale[c] = affine.scale;
    shift[c] = affine.shift;
  }
};
__global__ void __launch_bounds__(meet_threads)
    meet_forward(const float* sums, const float* squares, std::int64_t pixels, std::int64_t channels, ForwardChannels out) {
  __shared__ float all_sums[most_chunks][meet_channels], all_squares[most_chunks][meet_channels];
  fetch(sums, chunk_count(pixels), channels, all_sums);
  fetch(squares, chunk_count(pixels), channels, all_squares);
  __syncthreads();
  const std::int64_t channel = std::int64_t{blockIdx.x} * meet_channels + threadIdx.x;
  if (threadIdx.x >= meet_channels || channel >= channels) return;
  out.write(channel, meet_statistics(pixels, [&](std::int64_t k) { return all_sums[k][threadIdx.x]; },
                                     [&](std::int64_t k) { return all_squares[k][threadIdx.x]; }));
}
__global__ void finish_forward(const float* totals, const float* spreads, std::int64_t pixels, std::int64_t channels, ForwardChannels out) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const auto count = static_cast<float>(pixels);
  if (c < channels) out.write(c, {totals[c] / count, spreads[c] / count});
}

struct BackwardChannels {
  const float *mean, *variance, *gamma, *beta;  ///< beta: nullptr without activation
  float *diff_gamma, *diff_beta, *scale, *shift, *offset, *slope;
  __device__ void write(std::int64_t c, float sum_d, float sum_dx, std::int64_t pixels) const {
    const Affine affine = affine_of(gamma[c], beta != nullptr ? beta[c] : 0.0f, mean[c], variance[c], epsilon);
    const Gradients g = gradients_of(sum_d, sum_dx, inverse_deviation(variance[c], epsilon), pixels);
    diff_gamma[c] = g.diff_gamma;
    diff_beta[c] = g.diff_beta;
    scale[c] = affine.scale;
    shift[c] = affine.shift;
    offset[c] = g.offset;
    slope[c] = g.slope;
  }
};
__global__ void __launch_bounds__(meet_threads)
    meet_backward(const float* sums, const float* products, std::int64_t pixels, std::int64_t channels, BackwardChannels out) {
  __shared__ float all_sums[most_chunks][meet_channels], all_products[most_chunks][meet_channels];
  const std::int64_t chunks = chunk_count(pixels);
  fetch(sums, chunks, channels, all_sums);
  fetch(products, chunks, channels, all_products);
  __syncthreads();
  const std::int64_t channel = std::int64_t{blockIdx.x} * meet_channels + threadIdx.x;
  if (threadIdx.x >= meet_channels || channel >= channels) return;
  float sum = 0.0f, product = 0.0f;
  for (std::int64_t k = 0; k < chunks; ++k) {
    sum += all_sums[k][threadIdx.x];
    product += all_products[k][threadIdx.x];
  }
  out.write(channel, sum, product, pixels);
}
__global__ void finish_backward(const float* sums, const float* products, std::int64_t pixels, std::int64_t channels, BackwardChannels out) {
  const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c < channels) out.write(c, sums[c], products[c], pixels);
}

template <class Stored, Activation A>
struct Apply {
  const typename Stored::Word* x;
  typename Stored::Word* y;
  const float *scale, *shift;
  DETBENCH_HOST_DEVICE Affine constants(std::int64_t c) const { return {scale[c], shift[c]}; }
  DETBENCH_HOST_DEVICE void operator()(const Affine& k, std::int64_t at) const {
    const float value = Stored::load(x[at]) * k.scale + k.shift;
    y[at] = Stored::store(activated<A>(value));
  }
};
template <class Stored, Activation A>
struct ApplyGradient {
  const typename Stored::Word *x, *dy;
  typename Stored::Word* dx;
  const float *mean, *scale, *shift, *offset, *slope;
  struct Constants {
    float mean, scale, shift, offset, slope;
  };
  DETBENCH_HOST_DEVICE Constants constants(std::int64_t c) const { return {mean[c], scale[c], shift[c], offset[c], slope[c]}; }
  DETBENCH_HOST_DEVICE void operator()(const Constants& k, std::int64_t at) const {
    const float value = Stored::load(x[at]), dy_here = Stored::load(dy[at]);
    const float d = through<A>(dy_here, value * k.scale + k.shift);
    dx[at] = Stored::store(source_gradient(value, d, k.mean, k.scale, k.offset, k.slope));
  }
};

unsigned blocks_of(std::int64_t work, std::int64_t per_block) { return static_cast<unsigned>((work + per_block - 1) / per_block); }

template <bool ChannelsLast>
unsigned chunk_grid(const ChannelMemory& memory) {
  constexpr std::int64_t most = 1 << 20;  // more than ever run at once; blocks take what is left in turn
  const std::int64_t blocks = reduction::chunk_blocks<ChannelsLast>(chunk_count(memory.pixels), memory.channels);
  return static_cast<unsigned>(blocks < most ? blocks : most);
}

/// The pieces of the workspace: partial sums, then per-channel constants.
struct Parts {
  float *first, *second;    ///< {chunks, channels} each in fixed order, {channels} each with atomics; side by side
  float *scale, *shift, *offset, *slope;
};
std::int64_t rows_of_partials(const BatchNormProblem& p, bool atomic) { return atomic ? 1 : chunk_count(p.pixels()); }
std::size_t workspace_bytes(const BatchNormProblem& p, bool atomic) {
  return sizeof(float) * static_cast<std::size_t>((2 * rows_of_partials(p, atomic) + 4) * p.channels);
}
Parts parts_of(const BatchNormProblem& p, bool atomic, Region workspace) {
  auto* first = static_cast<float*>(workspace.data);
  float* second = first + rows_of_partials(p, atomic) * p.channels;
  float* scale = second + rows_of_partials(p, atomic) * p.channels;
  return {first, second, scale, scale + p.channels, scale + 2 * p.channels, scale + 3 * p.channels};
}

const float* channel_values(const Tensor& tensor) { return static_cast<const float*>(tensor.region.data); }

template <bool ChannelsLast, class Stored, Activation A, bool Atomic>
Status forward(const BatchNormProblem& p, std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, cudaStream_t stream) {
  using Word = typename Stored::Word;
  const ChannelMemory memory{p.pixels(), p.height * p.width, p.channels};
  const Parts parts = parts_of(p, Atomic, workspace);
  const auto* x = static_cast<const Word*>(in[0].region.data);
  const ForwardChannels channels{channel_values(in[1]), channel_values(in[2]), static_cast<float*>(out[1].region.data),
                                 static_cast<float*>(out[2].region.data), parts.scale, parts.shift};
  if constexpr (Atomic) {
    // The variance needs the mean first: E[x^2] - E[x]^2 in one pass would lose it where the mean is large.
    DETBENCH_CUDA_TRY(cudaMemsetAsync(parts.first, 0, 2 * sizeof(float) * static_cast<std::size_t>(p.channels), stream));
    chunk_terms<ChannelsLast, true><<<chunk_grid<ChannelsLast>(memory), channel_threads, 0, stream>>>(memory, PlainSum<Stored>{x}, parts.first);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    chunk_terms<ChannelsLast, true><<<chunk_grid<ChannelsLast>(memory), channel_threads, 0, stream>>>(
        memory, SquaredDistances<Stored>{x, parts.first, static_cast<float>(p.pixels())}, parts.second);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    finish_forward<<<blocks_of(p.channels, 256), 256, 0, stream>>>(parts.first, parts.second, p.pixels(), p.channels, channels);
  } else {
    chunk_statistics<ChannelsLast, Stored><<<chunk_grid<ChannelsLast>(memory), channel_threads, 0, stream>>>(x, memory, parts.first, parts.second);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    meet_forward<<<blocks_of(p.channels, meet_channels), meet_threads, 0, stream>>>(parts.first, parts.second, p.pixels(), p.channels, channels);
  }
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return enqueue_elements<ChannelsLast>(memory, Apply<Stored, A>{x, static_cast<Word*>(out[0].region.data), parts.scale, parts.shift}, stream);
}

/// With the statistics given: one pass, a channel's constants computed by whoever visits it.
template <class Stored, Activation A>
struct ApplyGiven {
  const typename Stored::Word* x;
  typename Stored::Word* y;
  const float *gamma, *beta, *mean, *variance;
  DETBENCH_HOST_DEVICE Affine constants(std::int64_t c) const { return affine_of(gamma[c], beta[c], mean[c], variance[c], epsilon); }
  DETBENCH_HOST_DEVICE void operator()(const Affine& k, std::int64_t at) const {
    y[at] = Stored::store(activated<A>(Stored::load(x[at]) * k.scale + k.shift));
  }
};
template <bool ChannelsLast, class Stored, Activation A>
Status inference(const BatchNormProblem& p, std::span<const Tensor> in, std::span<const Tensor> out, cudaStream_t stream) {
  using Word = typename Stored::Word;
  return enqueue_elements<ChannelsLast>(
      {p.pixels(), p.height * p.width, p.channels},
      ApplyGiven<Stored, A>{static_cast<const Word*>(in[0].region.data), static_cast<Word*>(out[0].region.data), channel_values(in[1]), channel_values(in[2]),
                            channel_values(in[3]), channel_values(in[4])},
      stream);
}

template <bool ChannelsLast, class Stored, Activation A, bool Atomic>
Status backward(const BatchNormProblem& p, std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, cudaStream_t stream) {
  using Word = typename Stored::Word;
  const ChannelMemory memory{p.pixels(), p.height * p.width, p.channels};
  const Parts parts = parts_of(p, Atomic, workspace);
  const auto *x = static_cast<const Word*>(in[0].region.data), *dy = static_cast<const Word*>(in[1].region.data);
  const float *mean = channel_values(in[2]), *variance = channel_values(in[3]), *gamma = channel_values(in[4]);
  const float* beta = A != Activation::none ? channel_values(in[5]) : nullptr;
  const BackwardChannels channels{mean, variance, gamma, beta, static_cast<float*>(out[1].region.data),
                                  static_cast<float*>(out[2].region.data), parts.scale, parts.shift, parts.offset, parts.slope};
  if constexpr (Atomic)
    DETBENCH_CUDA_TRY(cudaMemsetAsync(parts.first, 0, 2 * sizeof(float) * static_cast<std::size_t>(p.channels), stream));
  chunk_terms<ChannelsLast, Atomic><<<chunk_grid<ChannelsLast>(memory), channel_threads, 0, stream>>>(
      memory, GradientSums<Stored, A>{x, dy, mean, variance, gamma, beta}, parts.first);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  if constexpr (Atomic)
    finish_backward<<<blocks_of(p.channels, 256), 256, 0, stream>>>(parts.first, parts.second, p.pixels(), p.channels, channels);
  else
    meet_backward<<<blocks_of(p.channels, meet_channels), meet_threads, 0, stream>>>(parts.first, parts.second, p.pixels(), p.channels, channels);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return enqueue_elements<ChannelsLast>(
      memory, ApplyGradient<Stored, A>{x, dy, static_cast<Word*>(out[0].region.data), mean, parts.scale, parts.shift, parts.offset, parts.slope},
      stream);
}

template <bool Atomic, bool ChannelsLast, class Stored>
SimpleLaunch launch_of(const BatchNormProblem& p) {
  return [p](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, void* native_stream) {
    const auto stream = static_cast<cudaStream_t>(native_stream);
    return with_activation(p.activation, [&](auto is) {
      constexpr Activation A = decltype(is)::value;
      if (p.backward) return backward<ChannelsLast, Stored, A, Atomic>(p, in, out, workspace, stream);
      if constexpr (!Atomic)  // no sums, so nothing that atomics could do
        if (p.inference) return inference<ChannelsLast, Stored, A>(p, in, out, stream);
      return forward<ChannelsLast, Stored, A, Atomic>(p, in, out, workspace, stream);
    });
  };
}

template <bool Atomic>
Result<SimplePlanParts> make_parts(const Problem& problem) {
  const auto p = parse_batch_norm(problem);
  if (!p) return tl::unexpected(p.error());
  if (p->layout != "nhwc" && p->layout != "nchw") return unsupported("batch norm on a GPU takes nhwc and nchw; " + p->layout + " is a CPU's layout");
  if (Atomic && p->inference) return unsupported("batch norm at inference sums nothing: there is nothing for atomics to do");
  auto specs = batch_norm_specs(*p, p->layout);
  if (!specs) return tl::unexpected(specs.error());
  SimplePlanParts parts{specs->inputs, specs->outputs, p->inference ? 0 : workspace_bytes(*p, Atomic), {}, {{"activation_layout", p->layout}}};
  if (Atomic) parts.notes.merge(contention_notes(chunk_count(p->pixels())));
  parts.alignment_bytes = sizeof(float);
  const auto stored_as = [&]<class Stored>(Stored) {
    return p->layout == "nhwc" ? launch_of<Atomic, true, Stored>(*p) : launch_of<Atomic, false, Stored>(*p);
  };
  switch (p->storage) {
    case DataType::f16: parts.launch = stored_as(reduction::StoredF16{}); break;
    case DataType::bf16: parts.launch = stored_as(reduction::StoredBf16{}); break;
    default: parts.launch = stored_as(reduction::StoredF32{});
  }
  return parts;
}

}  // namespace

MakeParts cuda_fixed_order() { return make_parts<false>; }

std::unique_ptr<Provider> make_cuda_provider() {
  return std::make_unique<SimpleProvider>(
      "cuda", DeviceKind::cuda,
      std::vector{SimpleAlgorithm{"atomic", {}, true, [](const Problem& problem, Device&) { return make_parts<true>(problem); }}});
}

}  // namespace detbench::normalization
