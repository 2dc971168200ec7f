// Digest on the GPU: one warp per chunk, sums of integers, so every order gives the same bits.
#include "kernels/device/cuda_check.hpp"
#include "kernels/device/cuda_kernels.hpp"
#include "kernels/tensor/digest_words.hpp"

namespace detbench::cuda {
namespace {

constexpr int warp_lanes = 32, block_threads = 256, block_warps = block_threads / warp_lanes;
constexpr int segment_words = 4 * warp_lanes, segments = digest_chunk_words / segment_words;

__device__ void add_lanes(DigestLanes& to, const DigestLanes& from) {
  to.lane[0] += from.lane[0];
  to.lane[1] += from.lane[1];
}

/// The sum over the 32 lanes of a warp, in every lane.
__device__ DigestLanes warp_sum(DigestLanes sum) {
  for (int distance = warp_lanes / 2; distance > 0; distance /= 2)
    add_lanes(sum, {{__shfl_xor_sync(0xFFFFFFFFu, sum.lane[0], distance),
                     __shfl_xor_sync(0xFFFFFFFFu, sum.lane[1], distance)}});
  return sum;
}

/// Adds a chunk's term; all lanes hold the same sums and totals, the first one stores them.
__device__ void add_term(DigestLanes& total, const DigestLanes& sum, std::int64_t chunk) {
  add_lanes(total, {{digest_chunk_term(0, sum.lane[0], static_cast<std::uint64_t>(chunk)),
                     digest_chunk_term(1, sum.lane[1], static_cast<std::uint64_t>(chunk))}});
}

__device__ void store_total(const DigestLanes& total, std::uint64_t* accumulators) {
  if (threadIdx.x % warp_lanes != 0) return;
  for (int lane = 0; lane < 2; ++lane)
    atomicAdd(reinterpret_cast<unsigned long long*>(accumulators) + lane,
              static_cast<unsigned long long>(total.lane[lane]));
}

/// Full chunks of contiguous memory that starts at a multiple of 16 bytes. A thread takes 4 neighbouring words at a
/// time; their keys lie in shared memory as two halves, so that neighbouring threads read neighbouring 16 bytes (no
/// bank conflicts), and serve two chunks, so that reading keys does not take longer than reading memory.
__global__ void __launch_bounds__(block_threads)
    contiguous_chunks(const uint4* memory, std::int64_t chunks, std::uint64_t* accumulators) {
  __shared__ ulonglong2 keys[2][2][segments][warp_lanes];  // lane of the digest, half, segment, thread
  for (int i = threadIdx.x; i < 2 * digest_chunk_words / 2; i += block_threads) {
    const int lane = i / (digest_chunk_words / 2), pair = i % (digest_chunk_words / 2), position = 2 * pair;
    keys[lane][pair % 2][position / segment_words][position % segment_words / 4] =
        make_ulonglong2(digest_key(lane, position), digest_key(lane, position + 1));
  }
  __syncthreads();

  const int thread = threadIdx.x % warp_lanes;
  const std::int64_t warp = static_cast<std::int64_t>(blockIdx.x) * block_warps + threadIdx.x / warp_lanes;
  const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * block_warps;
  constexpr int vectors = digest_chunk_bytes / 16;
  DigestLanes total;
  for (std::int64_t first = 2 * warp; first < chunks; first += 2 * warps) {
    const bool second = first + 1 < chunks;  // the same for the whole warp
    const uint4* from[2] = {memory + first * vectors + thread, memory + (first + (second ? 1 : 0)) * vectors + thread};
    DigestLanes sum[2];
#pragma unroll
    for (int segment = 0; segment < segments; ++segment) {
      const ulonglong2 a0 = keys[0][0][segment][thread], b0 = keys[0][1][segment][thread];
      const ulonglong2 a1 = keys[1][0][segment][thread], b1 = keys[1][1][segment][thread];
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const uint4 words = __ldg(from[c] + segment * warp_lanes);
        digest_add_word(sum[c], words.x, a0.x, a1.x);
        digest_add_word(sum[c], words.y, a0.y, a1.y);
        digest_add_word(sum[c], words.z, b0.x, b1.x);
        digest_add_word(sum[c], words.w, b0.y, b1.y);
      }
    }
    add_term(total, warp_sum(sum[0]), first);
    if (second) add_term(total, warp_sum(sum[1]), first + 1);
  }
  store_total(total, accumulators);
}

/// Chunks [first, chunks) of any layout, type and address. Neighbouring warps take neighbouring chunks, whose elements
/// share memory sectors in layouts where they are not neighbours.
template <class T, bool aligned>
__global__ void __launch_bounds__(block_threads)
    layout_chunks(const unsigned char* memory, const __grid_constant__ LayoutIndex layout, std::int64_t first,
                  std::int64_t chunks, std::uint64_t* accumulators) {
  __shared__ std::uint64_t keys[2][digest_chunk_words];
  for (int i = threadIdx.x; i < 2 * digest_chunk_words; i += block_threads)
    keys[i / digest_chunk_words][i % digest_chunk_words] = digest_key(i / digest_chunk_words, i % digest_chunk_words);
  __syncthreads();

  const int thread = threadIdx.x % warp_lanes;
  const std::int64_t warp = static_cast<std::int64_t>(blockIdx.x) * block_warps + threadIdx.x / warp_lanes;
  DigestLanes total;
  for (std::int64_t chunk = first + warp; chunk < chunks; chunk += static_cast<std::int64_t>(gridDim.x) * block_warps) {
    DigestLanes sum;
#pragma unroll 4
    for (int position = thread; position < digest_chunk_words; position += warp_lanes)
      digest_add_word(sum, digest_word<T, aligned>(memory, layout, chunk * digest_chunk_words + position),
                      keys[0][position], keys[1][position]);
    add_term(total, warp_sum(sum), chunk);
  }
  store_total(total, accumulators);
}

int grid_for(std::int64_t work_per_warp, int multiprocessors) {
  const std::int64_t blocks = (work_per_warp + block_warps - 1) / block_warps,
                     most = 4 * static_cast<std::int64_t>(multiprocessors);
  return static_cast<int>(blocks < most ? blocks : most);
}

template <class T>
void launch_layout(const unsigned char* memory, const LayoutIndex& layout, std::int64_t first, std::int64_t chunks,
                   std::uint64_t* accumulators, int multiprocessors, cudaStream_t stream) {
  const int grid = grid_for(chunks - first, multiprocessors);
  if (reinterpret_cast<std::uintptr_t>(memory) % sizeof(T) == 0)
    layout_chunks<T, true><<<grid, block_threads, 0, stream>>>(memory, layout, first, chunks, accumulators);
  else
    layout_chunks<T, false><<<grid, block_threads, 0, stream>>>(memory, layout, first, chunks, accumulators);
}

}  // namespace

Status enqueue_digest(const Tensor& tensor, std::uint64_t* accumulators, int multiprocessors, cudaStream_t stream) {
  const auto layout = make_layout_index(tensor.spec);
  if (!layout) return tl::unexpected<Reason>(layout.error());
  const auto* memory = static_cast<const unsigned char*>(tensor.region.data);
  const std::int64_t element_bytes = static_cast<std::int64_t>(size_of(tensor.spec.type)),
                     bytes = layout->elements * element_bytes;
  const std::int64_t chunks = digest_chunk_count(bytes);
  std::int64_t done = 0;
  if (layout->contiguous && reinterpret_cast<std::uintptr_t>(memory) % 16 == 0 && bytes >= digest_chunk_bytes) {
    done = bytes / digest_chunk_bytes;
    contiguous_chunks<<<grid_for((done + 1) / 2, multiprocessors), block_threads, 0, stream>>>(
        reinterpret_cast<const uint4*>(memory), done, accumulators);
    DETBENCH_CUDA_TRY(cudaGetLastError());
  }
  if (done == chunks) return {};
  switch (element_bytes) {
    case 1: launch_layout<std::uint8_t>(memory, *layout, done, chunks, accumulators, multiprocessors, stream); break;
    case 2: launch_layout<std::uint16_t>(memory, *layout, done, chunks, accumulators, multiprocessors, stream); break;
    case 4: launch_layout<std::uint32_t>(memory, *layout, done, chunks, accumulators, multiprocessors, stream); break;
    default: launch_layout<std::uint64_t>(memory, *layout, done, chunks, accumulators, multiprocessors, stream); break;
  }
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status check_kernel_image() {
  cudaFuncAttributes attributes;
  DETBENCH_CUDA_TRY(cudaFuncGetAttributes(&attributes, contiguous_chunks));
  return {};
}

}  // namespace detbench::cuda
