// Sums on a GPU that depend on what they should not depend on, and one that cannot. Plain additions throughout: the
// build leaves them uncontracted.
#include <algorithm>
#include <string>

#include "bench/core/gpu_controls.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

constexpr int segment = static_cast<int>(control_segment);
constexpr int part_elements = 8, parts = segment / part_elements;  // 128 partials meet in every target
constexpr int block_threads = 128;
constexpr std::uint32_t longest_delay_ns = 4096;

__device__ std::uint64_t now_ns() {
  std::uint64_t time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  return time;
}

__device__ float sum_in_order(const float* values, int count) {
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += values[i];
  return sum;
}

/// Block p adds part p of every target. With `delayed`, its first thread holds it back for a time drawn from the clock,
/// so that the order of arrival is another one in every run whatever the scheduler does: the ground truth of what a
/// scope has to catch.
template <bool delayed>
__global__ void __launch_bounds__(block_threads) add_partials(GpuControlView v) {
  if constexpr (delayed) {
    if (threadIdx.x == 0) {
      const std::uint64_t start = now_ns(), delay = mix64(start ^ blockIdx.x) % longest_delay_ns;
      while (now_ns() - start < delay) __nanosleep(100);
    }
    __syncthreads();
  }
  for (std::int64_t t = threadIdx.x; t < v.targets; t += block_threads)
    atomicAdd(v.out + t, sum_in_order(v.in + t * segment + blockIdx.x * part_elements, part_elements));
}

/// One thread per target below; this is its number, or `targets` for the threads that are too many.
__device__ std::int64_t own_target() { return static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x; }

/// The order is drawn from `hash` by an odd step, which visits every element of a power of two once.
__global__ void __launch_bounds__(block_threads) add_in_drawn_order(GpuControlView v, std::uint64_t hash) {
  const std::int64_t t = own_target();
  if (t >= v.targets) return;
  const std::uint64_t word = mix64(hash + static_cast<std::uint64_t>(t)), step = (word >> 32) | 1;
  std::uint64_t at = word % segment;
  float sum = 0;
  for (int i = 0; i < segment; ++i, at = (at + step) % segment) sum += v.in[t * segment + static_cast<std::int64_t>(at)];
  v.out[t] = sum;
}

/// Elements up to the next 64-byte boundary are added apart, as code does that wants aligned vector loads.
__global__ void __launch_bounds__(block_threads) add_with_peel(GpuControlView v) {
  const std::int64_t t = own_target();
  if (t >= v.targets) return;
  const float* values = v.in + t * segment;
  const auto misaligned = static_cast<int>(reinterpret_cast<std::uintptr_t>(values) % 64);
  const int peel = misaligned == 0 ? 0 : (64 - misaligned) / static_cast<int>(sizeof(float));
  float lanes[16] = {};
  int i = peel;
  for (; i + 16 <= segment; i += 16)
    for (int lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane];
  float sum = sum_in_order(values, peel);
  for (const float lane : lanes) sum += lane;
  v.out[t] = sum + sum_in_order(values + i, segment - i);
}

/// Block p writes partial p of every target ...
__global__ void __launch_bounds__(block_threads) write_partials(GpuControlView v) {
  const int first = segment * static_cast<int>(blockIdx.x) / v.partials, last = segment * (static_cast<int>(blockIdx.x) + 1) / v.partials;
  for (std::int64_t t = threadIdx.x; t < v.targets; t += block_threads)
    static_cast<float*>(v.workspace)[blockIdx.x * v.targets + t] = sum_in_order(v.in + t * segment + first, last - first);
}
/// ... which are added in the order of the blocks: it repeats, but only with as many multiprocessors.
__global__ void __launch_bounds__(block_threads) join_partials(GpuControlView v) {
  const std::int64_t t = own_target();
  if (t >= v.targets) return;
  float sum = 0;
  for (int p = 0; p < v.partials; ++p) sum += static_cast<const float*>(v.workspace)[p * v.targets + t];
  v.out[t] = sum;
}

/// One thread adds one half of a target's partials to it, with pauses drawn from the clock. Alone it keeps its order; two
/// halves at the same time mix theirs.
__global__ void __launch_bounds__(block_threads) add_half(GpuControlView v, int half) {
  const std::int64_t t = own_target();
  if (t >= v.targets) return;
  for (int p = half * parts / 2; p < (half + 1) * parts / 2; ++p) {
    atomicAdd(v.out + t, sum_in_order(v.in + t * segment + p * part_elements, part_elements));
    __nanosleep(static_cast<unsigned>(mix64(now_ns() ^ threadIdx.x)) & 511);
  }
}

__global__ void __launch_bounds__(block_threads) add_split_by_batch(GpuControlView v, int split) {
  const std::int64_t t = own_target();
  if (t >= v.targets) return;
  float sum = 0;
  for (int part = 0; part < split; ++part) {
    const int first = segment * part / split, last = segment * (part + 1) / split;
    sum += sum_in_order(v.in + t * segment + first, last - first);
  }
  v.out[t] = sum;
}

/// No hazard: fixed point in 64-bit integers, whose addition has no order; shaped like add_partials.
__global__ void __launch_bounds__(block_threads) add_integers(GpuControlView v) {
  for (std::int64_t t = threadIdx.x; t < v.targets; t += block_threads) {
    long long partial = 0;
    // 2^32 holds every bit of a 24-bit uniform in [-1, 1), and 1024 such values fit into 64 bits.
    for (int i = 0; i < part_elements; ++i)
      partial += __double2ll_rn(static_cast<double>(v.in[t * segment + blockIdx.x * part_elements + i]) * 0x1p32);
    atomicAdd(static_cast<unsigned long long*>(v.workspace) + t, static_cast<unsigned long long>(partial));
  }
}
__global__ void __launch_bounds__(block_threads) join_integers(GpuControlView v) {
  const std::int64_t t = own_target();
  if (t >= v.targets) return;
  v.out[t] = static_cast<float>(static_cast<double>(static_cast<const long long*>(v.workspace)[t]) * 0x1p-32);
}

cudaStream_t native(const Stream& stream) { return static_cast<cudaStream_t>(stream.native()); }

unsigned blocks_for(std::int64_t targets) { return static_cast<unsigned>((targets + block_threads - 1) / block_threads); }

using Enqueue = Status (*)(const GpuControlView&, cudaStream_t);

Status launched() {
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

template <bool delayed>
Status atomics(const GpuControlView& v, cudaStream_t stream) {
  DETBENCH_CUDA_TRY(cudaMemsetAsync(v.out, 0, static_cast<std::size_t>(v.targets) * sizeof(float), stream));
  add_partials<delayed><<<parts, block_threads, 0, stream>>>(v);
  return launched();
}
Status drawn_order(const GpuControlView& v, cudaStream_t stream) {
  add_in_drawn_order<<<blocks_for(v.targets), block_threads, 0, stream>>>(v, address_hash());
  return launched();
}
Status peel(const GpuControlView& v, cudaStream_t stream) {
  add_with_peel<<<blocks_for(v.targets), block_threads, 0, stream>>>(v);
  return launched();
}
Status per_multiprocessor(const GpuControlView& v, cudaStream_t stream) {
  write_partials<<<static_cast<unsigned>(v.partials), block_threads, 0, stream>>>(v);
  if (auto done = launched(); !done) return done;
  join_partials<<<blocks_for(v.targets), block_threads, 0, stream>>>(v);
  return launched();
}
Status split_by(const GpuControlView& v, cudaStream_t stream) {
  add_split_by_batch<<<blocks_for(v.targets), block_threads, 0, stream>>>(v, split_of_batch(v.targets));
  return launched();
}
Status integers(const GpuControlView& v, cudaStream_t stream) {
  DETBENCH_CUDA_TRY(cudaMemsetAsync(v.workspace, 0, static_cast<std::size_t>(v.targets) * sizeof(long long), stream));
  add_integers<<<parts, block_threads, 0, stream>>>(v);
  if (auto done = launched(); !done) return done;
  join_integers<<<blocks_for(v.targets), block_threads, 0, stream>>>(v);
  return launched();
}

class KernelControl final : public Op {
 public:
  KernelControl(Enqueue enqueue, const GpuControlView& view, Stream& stream) : enqueue_(enqueue), view_(view), stream_(native(stream)) {}
  Status enqueue() override { return enqueue_(view_, stream_); }

 private:
  Enqueue enqueue_;
  GpuControlView view_;
  cudaStream_t stream_;
};

/// Two halves into one accumulator. Launched, they follow each other on the stream and keep their order; while the stream
/// captures they are put on two branches, as somebody does who wants a graph to overlap them, and then race.
class ParallelBranches final : public Op {
 public:
  static Result<std::unique_ptr<Op>> make(const GpuControlView& view, Stream& stream) {
    std::unique_ptr<ParallelBranches> op(new ParallelBranches(view, stream));
    DETBENCH_CUDA_TRY(cudaStreamCreateWithFlags(&op->branch_, cudaStreamNonBlocking));
    DETBENCH_CUDA_TRY(cudaEventCreateWithFlags(&op->forked_, cudaEventDisableTiming));
    DETBENCH_CUDA_TRY(cudaEventCreateWithFlags(&op->joined_, cudaEventDisableTiming));
    return op;
  }
  ParallelBranches(const ParallelBranches&) = delete;
  ~ParallelBranches() override {
    if (joined_) cudaEventDestroy(joined_);
    if (forked_) cudaEventDestroy(forked_);
    if (branch_) cudaStreamDestroy(branch_);
  }
  Status enqueue() override {
    DETBENCH_CUDA_TRY(cudaMemsetAsync(view_.out, 0, static_cast<std::size_t>(view_.targets) * sizeof(float), stream_));
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    DETBENCH_CUDA_TRY(cudaStreamIsCapturing(stream_, &status));
    const bool forks = status == cudaStreamCaptureStatusActive;
    if (forks) {
      DETBENCH_CUDA_TRY(cudaEventRecord(forked_, stream_));
      DETBENCH_CUDA_TRY(cudaStreamWaitEvent(branch_, forked_, 0));
    }
    add_half<<<blocks_for(view_.targets), block_threads, 0, stream_>>>(view_, 0);
    if (auto done = launched(); !done) return done;
    add_half<<<blocks_for(view_.targets), block_threads, 0, forks ? branch_ : stream_>>>(view_, 1);
    if (auto done = launched(); !done) return done;
    if (forks) {
      DETBENCH_CUDA_TRY(cudaEventRecord(joined_, branch_));
      DETBENCH_CUDA_TRY(cudaStreamWaitEvent(stream_, joined_, 0));
    }
    return {};
  }

 private:
  ParallelBranches(const GpuControlView& view, Stream& stream) : view_(view), stream_(native(stream)) {}
  GpuControlView view_;
  cudaStream_t stream_;
  cudaStream_t branch_ = nullptr;
  cudaEvent_t forked_ = nullptr, joined_ = nullptr;
};

constexpr std::pair<const char*, Enqueue> kernels[] = {{"contended_atomics", atomics<false>},
                                                       {"delayed_atomics", atomics<true>},
                                                       {"address_order", drawn_order},
                                                       {"address_peel", peel},
                                                       {"partial_per_multiprocessor", per_multiprocessor},
                                                       {"split_by_batch", split_by},
                                                       {"integer_accumulation", integers}};

}  // namespace

Result<std::unique_ptr<Op>> make_gpu_control(std::string_view name, const GpuControlView& view, Stream& stream) {
  if (name == "parallel_branches") return ParallelBranches::make(view, stream);
  for (const auto& [known, enqueue] : kernels)
    if (name == known) return std::make_unique<KernelControl>(enqueue, view, stream);
  return unsupported("control '" + std::string(name) + "' has no kernel");
}

}  // namespace detbench
