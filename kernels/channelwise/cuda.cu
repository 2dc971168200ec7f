// The channel-wise operations on a GPU: in the CPU's fixed order with its bits, and the gradient of the scales with chunks that
// meet in atomics. Both sum a chunk in the same way (order.hpp), so that they differ in how chunks meet.
#include <cuda_runtime.h>

#include "kernels/channelwise/element_kernels.hpp"
#include "kernels/channelwise/parts.hpp"
#include "kernels/contention.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/normalization/element_walk.hpp"

namespace detbench::channelwise {
namespace {

using reduction::channel_slots;
using reduction::channel_threads;
using reduction::ChannelMemory;

constexpr int element_threads = 256;

/// blockIdx.x walks the elements of an image, blockIdx.y the images.
template <bool ChannelsLast, class Work>
__global__ void __launch_bounds__(element_threads) visit_images(ChannelMemory image, std::int64_t images, Work work) {
  for (std::int64_t n = blockIdx.y; n < images; n += gridDim.y)
    normalization::visit_for_thread<ChannelsLast>(image, (std::int64_t{blockIdx.x} * element_threads + threadIdx.x) / 32,
                                                  std::int64_t{gridDim.x} * element_threads / 32, threadIdx.x % 32,
                                                  work.of_image(n, image.plane * image.channels, image.channels));
}

template <bool ChannelsLast, class Work>
Status enqueue_images(const ChannelMemory& image, std::int64_t images, const Work& work, cudaStream_t stream) {
  constexpr std::int64_t warps_per_block = element_threads / 32, most = 132 * 16, most_rows = 65535;
  const auto blocks_for = [](std::int64_t warps) { return (warps + warps_per_block - 1) / warps_per_block; };
  const std::int64_t rows = images < most_rows ? images : most_rows, share = (most + rows - 1) / rows;
  // Channels last, a task is one pixel's 32 channels: four of them a warp, so that constants are fetched less often.
  std::int64_t blocks = blocks_for(normalization::element_tasks<ChannelsLast>(image) / (ChannelsLast ? 4 : 1) + 1);
  if (blocks > share) blocks = share;
  const std::int64_t fewest = blocks_for(normalization::fewest_warps<ChannelsLast>(image));
  if (blocks < fewest) blocks = fewest;
  visit_images<ChannelsLast><<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(rows)), element_threads, 0, stream>>>(image, images, work);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

/// How a chunk's sum leaves its block.
enum class Meeting {
  stored,  ///< into {images, chunks, channels}, to be added in order
  final,   ///< there is one chunk: it is the answer
  atomic   ///< added to {images, channels} in f32
};

template <bool ChannelsLast, Meeting How, class Stored>
__global__ void __launch_bounds__(channel_threads) sum_chunks(ScaleGradient<Stored> work, std::int64_t images, void* target) {
  __shared__ float shared[channel_lanes][channel_slots];
  const ChannelMemory& image = work.image;
  const int lane = reduction::lane_of_thread<ChannelsLast>(threadIdx.x), slot = reduction::slot_of_thread<ChannelsLast>(threadIdx.x);
  const std::int64_t chunks = chunk_count(image.plane), per_image = image_blocks<ChannelsLast>(image.plane, image.channels);
  for (std::int64_t block = blockIdx.x; block < images * per_image; block += gridDim.x) {
    const std::int64_t n = block / per_image;
    const auto here = reduction::slot_work<ChannelsLast>(block % per_image, slot, chunks, image.channels);
    const bool present = here.channel < image.channels;
    const float sum = present ? work.template lane_sum<ChannelsLast>(n, here.chunk, here.channel, lane) : 0.0f;
    __syncthreads();  // what was there before has been read
    shared[lane][slot] = sum;
    __syncthreads();
    if (lane != 0 || !present) continue;
    const float total = reduction::fold_channel_lanes(&shared[0][slot], channel_slots);
    const std::int64_t pair = n * image.channels + here.channel;
    if constexpr (How == Meeting::stored) static_cast<float*>(target)[(n * chunks + here.chunk) * image.channels + here.channel] = total;
    if constexpr (How == Meeting::final) static_cast<typename Stored::Word*>(target)[pair] = Stored::store(total);
    if constexpr (How == Meeting::atomic) atomicAdd(static_cast<float*>(target) + pair, total);
  }
}

/// One thread per image and channel: neighbours read neighbouring channels.
template <class Stored>
__global__ void __launch_bounds__(element_threads)
    meet(const float* partials, std::int64_t images, std::int64_t chunks, std::int64_t channels, typename Stored::Word* diff_scale) {
  const std::int64_t pair = std::int64_t{blockIdx.x} * element_threads + threadIdx.x;
  if (pair >= images * channels) return;
  const float* first = partials + pair / channels * chunks * channels + pair % channels;
  diff_scale[pair] = Stored::store(meet_chunks(chunks, [&](std::int64_t k) { return first[k * channels]; }));
}

template <bool ChannelsLast, class Stored>
Status forward(const ChannelwiseProblem& p, std::span<const Tensor> in, std::span<const Tensor> out, cudaStream_t stream) {
  using Word = typename Stored::Word;
  const ChannelMemory image{p.plane(), p.plane(), p.channels};
  const auto* x = static_cast<const Word*>(in[0].region.data);
  auto* y = static_cast<Word*>(out[0].region.data);
  if (p.pass == ChannelwisePass::bias_add)
    return enqueue_images<ChannelsLast>(image, p.batch, AddBias<Stored>{x, static_cast<const float*>(in[1].region.data), y}, stream);
  return enqueue_images<ChannelsLast>(image, p.batch, ScaleElements<Stored>{x, static_cast<const Word*>(in[1].region.data), y}, stream);
}

/// The f32 sums of the atomic form, or the chunks' sums where there are several.
std::size_t backward_workspace(const ChannelwiseProblem& p, bool atomic) {
  const std::int64_t chunks = chunk_count(p.plane()), rows = atomic ? 1 : chunks > 1 ? chunks : 0;
  return sizeof(float) * static_cast<std::size_t>(p.batch * rows * p.channels);
}

template <bool ChannelsLast, class Stored, bool Atomic>
Status backward(const ChannelwiseProblem& p, std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, cudaStream_t stream) {
  using Word = typename Stored::Word;
  const auto word = [](const Tensor& t) { return static_cast<Word*>(t.region.data); };
  const ScaleGradient<Stored> work{word(in[0]), word(in[1]), word(in[2]), word(out[0]), {p.plane(), p.plane(), p.channels}};
  const std::int64_t chunks = chunk_count(p.plane()), blocks = p.batch * image_blocks<ChannelsLast>(p.plane(), p.channels);
  constexpr std::int64_t most = 1 << 20;  // more than ever run at once; blocks take what is left in turn
  const auto grid = static_cast<unsigned>(blocks < most ? blocks : most);
  const auto pair_blocks = static_cast<unsigned>((p.batch * p.channels + element_threads - 1) / element_threads);
  if constexpr (Atomic) {
    DETBENCH_CUDA_TRY(cudaMemsetAsync(workspace.data, 0, backward_workspace(p, true), stream));
    sum_chunks<ChannelsLast, Meeting::atomic><<<grid, channel_threads, 0, stream>>>(work, p.batch, workspace.data);
  } else if (chunks == 1) {
    sum_chunks<ChannelsLast, Meeting::final><<<grid, channel_threads, 0, stream>>>(work, p.batch, out[1].region.data);
    DETBENCH_CUDA_TRY(cudaGetLastError());
    return {};
  } else {
    sum_chunks<ChannelsLast, Meeting::stored><<<grid, channel_threads, 0, stream>>>(work, p.batch, workspace.data);
  }
  DETBENCH_CUDA_TRY(cudaGetLastError());
  meet<Stored><<<pair_blocks, element_threads, 0, stream>>>(static_cast<const float*>(workspace.data), p.batch, Atomic ? 1 : chunks, p.channels, word(out[1]));
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

template <bool ChannelsLast, class Stored, bool Atomic>
SimpleLaunch launch_of(const ChannelwiseProblem& p) {
  return [p](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, void* native_stream) {
    const auto stream = static_cast<cudaStream_t>(native_stream);
    if (p.pass == ChannelwisePass::scale_backward) return backward<ChannelsLast, Stored, Atomic>(p, in, out, workspace, stream);
    return forward<ChannelsLast, Stored>(p, in, out, stream);
  };
}

template <bool Atomic>
Result<SimplePlanParts> make_parts(const Problem& problem) {
  const auto p = parse_channelwise(problem);
  if (!p) return tl::unexpected(p.error());
  if (p->layout != "nhwc" && p->layout != "nchw") return unsupported(problem.op + " on a GPU takes nhwc and nchw; " + p->layout + " is a CPU's layout");
  auto specs = channelwise_specs(*p);
  if (!specs) return tl::unexpected(specs.error());
  const bool sums = p->pass == ChannelwisePass::scale_backward;
  SimplePlanParts parts{specs->inputs, specs->outputs, sums ? backward_workspace(*p, Atomic) : 0, {}, {}};
  if (Atomic && sums) parts.notes = contention_notes(chunk_count(p->plane()));
  parts.alignment_bytes = size_of(p->storage);  // element by element
  if (!sums && parts.inputs[1].type == DataType::f32) parts.alignment_bytes = sizeof(float);
  const auto stored_as = [&]<class Stored>(Stored) { return p->layout == "nhwc" ? launch_of<true, Stored, Atomic>(*p) : launch_of<false, Stored, Atomic>(*p); };
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
      "cuda", DeviceKind::cuda, std::vector{SimpleAlgorithm{"atomic", {}, true, [](const Problem& problem, Device&) { return make_parts<true>(problem); }}});
}

}  // namespace detbench::channelwise
