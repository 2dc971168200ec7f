// Loads on a GPU: bursts of persistent blocks that end by themselves. See kernels/device/stress.hpp.
#include <algorithm>
#include <chrono>

#include "kernels/device/cuda_allocation.hpp"
#include "kernels/device/cuda_check.hpp"
#include "kernels/device/schedule_record.hpp"
#include "kernels/device/sm_partition.hpp"
#include "kernels/device/stress.hpp"

namespace detbench {
namespace {

constexpr int most_threads = 256;
constexpr std::uint32_t hot_words = 1024;                   // what half of the atomics meet in
constexpr std::uint32_t chunk_vectors = (64 << 10) / 16;    // 64 KiB a copy

/// What the host and a load share, in mapped host memory: the flag is the host's to write, the slots the blocks'.
struct Mailbox {
  volatile unsigned stop;
  volatile unsigned long long rounds[];  ///< one per block, written by nobody else
};

struct LoadArguments {
  Mailbox* mailbox;
  unsigned long long* deadline_ns;  ///< 0 until the first block of the first burst runs
  unsigned long long* rounds;       ///< per block, over all bursts: device memory, so that a round costs no transfer
  std::uint32_t* memory;
  std::uint32_t words;              ///< of `memory`; a power of two
  std::uint64_t limit_ns, duration_ns;
  std::uint32_t seed;
  std::size_t shared_bytes;
};

__device__ std::uint64_t now_ns() {
  std::uint64_t time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  return time;
}
__device__ std::uint32_t multiprocessor() {
  std::uint32_t id;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
  return id;
}
/// A bijection on 32 bits that scatters neighbours: multiplications by odd constants and shifts to the right.
__device__ std::uint32_t scatter(std::uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}
/// 64 fused multiply-adds, each needing the one before.
__device__ float chain(float value) {
#pragma unroll 16
  for (int i = 0; i < 64; ++i) value = __fmaf_rn(value, 0.999f, 0.001f);
  return value;
}

/// A few microseconds of work of one block. `count` counts rounds, so that no two are alike. Threads write `shared` over each
/// other: volatile, because the compiler may take plain accesses that race for ones that never happen.
template <GpuLoadKind kind>
__device__ void work_once(const LoadArguments& a, std::uint32_t count, volatile float* shared, float& value) {
  const std::uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
  const std::uint32_t random = scatter(a.seed ^ scatter(thread + 0x9e3779b9u * count));
  if constexpr (kind == GpuLoadKind::spinners) {
    for (int i = 0; i < 8; ++i) value = chain(value);
    const std::uint32_t floats = static_cast<std::uint32_t>(a.shared_bytes / sizeof(float));
    if (floats != 0) {
      shared[(thread + random) % floats] = value;  // who writes what last has no meaning; the traffic has
      value += shared[random % floats] * 0x1p-20f;
    }
    __nanosleep(scatter(a.seed ^ count ^ blockIdx.x) & 1023);
  } else if constexpr (kind == GpuLoadKind::atomic_traffic) {
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t at = scatter(random + i);
      atomicAdd(a.memory + (i % 2 == 0 ? at & (hot_words - 1) : at & (a.words - 1)), 1u);
    }
    if ((count & 3) == 0) __nanosleep(scatter(a.seed ^ count ^ blockIdx.x) & 511);
  } else {
    // From the lower half to the upper one; blocks may copy over each other's chunks, nobody reads them.
    const std::uint32_t chunks = a.words / 4 / 2 / chunk_vectors;
    const std::uint32_t from = scatter(a.seed ^ scatter(blockIdx.x) ^ count) % chunks, to = scatter(a.seed + blockIdx.x + count) % chunks;
    const auto* low = reinterpret_cast<const uint4*>(a.memory) + std::size_t{from} * chunk_vectors;
    auto* high = reinterpret_cast<uint4*>(a.memory) + std::size_t{a.words} / 8 + std::size_t{to} * chunk_vectors;
    for (std::uint32_t i = threadIdx.x; i < chunk_vectors; i += blockDim.x) __stcs(high + i, __ldcs(low + i));
    if ((count & 7) == 0) __nanosleep(scatter(a.seed ^ count ^ blockIdx.x) & 1023);
  }
}

template <GpuLoadKind kind>
__global__ void __launch_bounds__(most_threads) burst(const LoadArguments a) {
  extern __shared__ float shared[];
  __shared__ std::uint64_t end_ns;
  __shared__ bool leaves, over;
  if (threadIdx.x == 0) {
    // Whatever the scheduler does with the blocks, one multiprocessor of each cluster's worth stays free of them. One
    // thread asks for all, because a block that is preempted may come back elsewhere.
    leaves = keeps_free(multiprocessor());
    const std::uint64_t start = now_ns();
    const std::uint64_t first = atomicCAS(a.deadline_ns, 0ull, static_cast<unsigned long long>(start + a.limit_ns));
    const std::uint64_t deadline = first == 0 ? start + a.limit_ns : first;
    end_ns = start + a.duration_ns < deadline ? start + a.duration_ns : deadline;
  }
  __syncthreads();
  if (leaves) return;
  // The flag lies across the bus, so it is asked for now and then only; a dozen rounds take some tens of microseconds.
  constexpr int rounds_between_checks = 12;
  float value = static_cast<float>(threadIdx.x);
  for (std::uint32_t count = 0;;) {
    if (threadIdx.x == 0) over = a.mailbox->stop != 0 || now_ns() >= end_ns;
    __syncthreads();
    if (over) break;
    for (int i = 0; i < rounds_between_checks; ++i) work_once<kind>(a, count++, shared, value);
    __syncthreads();  // nobody still reads `over` when it is written again
    if (threadIdx.x == 0) {
      a.rounds[blockIdx.x] += rounds_between_checks;
      a.mailbox->rounds[blockIdx.x] = a.rounds[blockIdx.x];
      __threadfence_system();
    }
  }
  if (value == -1.0f) a.memory[0] = 1;  // never: keeps the arithmetic
}

__global__ void __launch_bounds__(most_threads) short_burst(int rounds, float* sink) {
  float value = static_cast<float>(threadIdx.x);
  for (int i = 0; i < rounds; ++i) value = chain(value);
  if (value == -1.0f) *sink = value;  // never, and the pointer is null
}

__global__ void record_order(std::uint32_t* where, std::uint32_t* ticket, std::uint32_t* counter) {
  if (threadIdx.x != 0) return;
  where[blockIdx.x] = multiprocessor();
  ticket[blockIdx.x] = atomicAdd(counter, 1u);
}

using Kernel = void (*)(LoadArguments);

Kernel kernel_of(GpuLoadKind kind) {
  switch (kind) {
    case GpuLoadKind::atomic_traffic: return burst<GpuLoadKind::atomic_traffic>;
    case GpuLoadKind::memory_traffic: return burst<GpuLoadKind::memory_traffic>;
    case GpuLoadKind::spinners: break;
  }
  return burst<GpuLoadKind::spinners>;
}

Result<GpuShape> shape_of_gpu(std::size_t& l2_bytes) {
  int device = 0;
  DETBENCH_CUDA_TRY(cudaGetDevice(&device));
  int values[5] = {};
  const cudaDeviceAttr asked[5] = {cudaDevAttrMultiProcessorCount, cudaDevAttrMaxSharedMemoryPerMultiprocessor,
                                   cudaDevAttrMaxSharedMemoryPerBlockOptin, cudaDevAttrMaxThreadsPerMultiProcessor,
                                   cudaDevAttrL2CacheSize};
  for (int i = 0; i < 5; ++i) DETBENCH_CUDA_TRY(cudaDeviceGetAttribute(&values[i], asked[i], device));
  l2_bytes = static_cast<std::size_t>(std::max(values[4], 1 << 20));
  // A KiB of each block's shared memory is the system's, and a block's static part comes on top of the dynamic one.
  const int usable = std::max(0, values[2] - (2 << 10));
  return GpuShape{values[0], static_cast<std::size_t>(values[1]), static_cast<std::size_t>(usable), values[3]};
}

struct FreeHostMemory {
  void operator()(void* memory) const { cudaFreeHost(memory); }
};

class CudaLoad final : public GpuLoad {
 public:
  static Result<std::unique_ptr<GpuLoad>> make(GpuLoadKind kind) {
    std::unique_ptr<CudaLoad> load(new CudaLoad(kind));
    if (Status ready = load->prepare(); !ready) return tl::unexpected(ready.error());
    return load;
  }
  ~CudaLoad() override {
    stop();
    if (stream_) cudaStreamDestroy(stream_);
  }

  Status start(std::uint64_t seed, double limit_s) override {
    stop();
    const auto bursts = plan_bursts(kind_, shape_, seed, limit_s);
    if (bursts.empty()) return unsupported(too_small());
    mailbox_->stop = 0;
    LoadArguments arguments{device_mailbox_, static_cast<unsigned long long*>(control_.get()),
                            static_cast<unsigned long long*>(control_.get()) + 1, static_cast<std::uint32_t*>(memory_.get()), words_,
                            static_cast<std::uint64_t>(std::clamp(limit_s, 1e-3, 60.0) * 1e9), 0, 0, 0};
    DETBENCH_CUDA_TRY(cudaMemsetAsync(arguments.deadline_ns, 0, sizeof(unsigned long long), stream_));
    // The host stops believing in the load a little after the GPU stops it: what was queued last begins late.
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limit_s));
    started_ = true;
    for (const auto& one : bursts) {
      arguments.duration_ns = one.duration_ns;
      arguments.seed = one.seed;
      arguments.shared_bytes = one.shared_bytes;
      void* pointers[] = {&arguments};
      const auto error = cudaLaunchKernel(reinterpret_cast<const void*>(kernel_of(kind_)), dim3(static_cast<unsigned>(one.blocks)),
                                          dim3(static_cast<unsigned>(std::min(one.threads, most_threads))), pointers, one.shared_bytes, stream_);
      if (error == cudaSuccess) continue;
      const auto reason = cuda_reason(error, "launch of a load", __FILE__);
      stop();
      return tl::unexpected<Reason>(reason);
    }
    return {};
  }

  void stop() noexcept override {
    if (!started_) return;
    mailbox_->stop = 1;
    // Bounded: every block sees the flag or the deadline.
    cudaStreamSynchronize(stream_);
    started_ = false;
  }

  bool running() const noexcept override {
    if (!started_ || Clock::now() >= deadline_) return false;
    const auto state = cudaStreamQuery(stream_);
    if (state == cudaErrorNotReady) cudaGetLastError();  // no error, yet it would look like one to the next check
    return state == cudaErrorNotReady;
  }

  std::uint64_t work() const noexcept override {
    std::uint64_t rounds = 0;
    for (int block = 0; block < shape_.multiprocessors; ++block) rounds += mailbox_->rounds[block];
    return rounds;
  }

 private:
  using Clock = std::chrono::steady_clock;
  explicit CudaLoad(GpuLoadKind kind) : kind_(kind) {}

  std::string too_small() const {
    return "a GPU of " + std::to_string(shape_.multiprocessors) + " multiprocessors is too small for a load that leaves room";
  }

  Status prepare() {
    std::size_t l2_bytes = 0;
    auto shape = shape_of_gpu(l2_bytes);
    if (!shape) return tl::unexpected(shape.error());
    shape_ = *shape;
    if (plan_bursts(kind_, shape_, 0, 1).empty()) return unsupported(too_small());
    const auto slots = static_cast<std::size_t>(shape_.multiprocessors);  // blocks are fewer
    void* host = nullptr;
    const std::size_t mailbox_bytes = sizeof(Mailbox) + sizeof(unsigned long long) * (slots + 1);
    DETBENCH_CUDA_TRY(cudaHostAlloc(&host, mailbox_bytes, cudaHostAllocMapped));
    mailbox_memory_.reset(host);
    mailbox_ = static_cast<Mailbox*>(host);
    mailbox_->stop = 0;
    for (std::size_t slot = 0; slot < slots; ++slot) mailbox_->rounds[slot] = 0;
    void* mapped = nullptr;
    DETBENCH_CUDA_TRY(cudaHostGetDevicePointer(&mapped, host, 0));
    device_mailbox_ = static_cast<Mailbox*>(mapped);

    // Atomics stay inside the L2 cache, copies go well past it.
    std::size_t bytes = 4096;
    if (kind_ == GpuLoadKind::atomic_traffic) bytes = std::size_t{8} << 20;
    if (kind_ == GpuLoadKind::memory_traffic) bytes = std::clamp(8 * l2_bytes, std::size_t{64} << 20, std::size_t{1} << 30);
    std::size_t power = 4096;
    while (2 * power <= bytes) power *= 2;
    words_ = static_cast<std::uint32_t>(power / sizeof(std::uint32_t));
    auto memory = cuda::allocate_memory(power);
    if (!memory) return tl::unexpected(memory.error());
    memory_ = std::move(*memory);
    const std::size_t control_bytes = sizeof(unsigned long long) * (slots + 1);
    auto control = cuda::allocate_memory(control_bytes);
    if (!control) return tl::unexpected(control.error());
    control_ = std::move(*control);

    int least = 0, greatest = 0;
    DETBENCH_CUDA_TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    DETBENCH_CUDA_TRY(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, least));
    DETBENCH_CUDA_TRY(cudaMemsetAsync(control_.get(), 0, control_bytes, stream_));
    DETBENCH_CUDA_TRY(cudaMemsetAsync(memory_.get(), 0, power, stream_));
    // More than 48 KiB of shared memory has to be asked for; this also loads the kernel, which would otherwise happen
    // at the first start and count as a load that does no work.
    DETBENCH_CUDA_TRY(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel_of(kind_)), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(std::min(shape_.shared_bytes_per_block, shape_.shared_bytes_per_multiprocessor / 2))));
    DETBENCH_CUDA_TRY(cudaStreamSynchronize(stream_));
    return {};
  }

  GpuLoadKind kind_;
  GpuShape shape_;
  std::unique_ptr<void, FreeHostMemory> mailbox_memory_;
  Mailbox* mailbox_ = nullptr;
  Mailbox* device_mailbox_ = nullptr;
  cuda::Memory memory_, control_;
  std::uint32_t words_ = 0;
  cudaStream_t stream_ = nullptr;
  bool started_ = false;
  Clock::time_point deadline_{};
};

cudaStream_t native(const Stream& stream) { return static_cast<cudaStream_t>(stream.native()); }

}  // namespace

Result<std::unique_ptr<GpuLoad>> make_gpu_load(GpuLoadKind kind) { return CudaLoad::make(kind); }

Status enqueue_short_load(Stream& stream, const ShortLoad& load) {
  short_burst<<<static_cast<unsigned>(load.blocks), static_cast<unsigned>(load.threads), 0, native(stream)>>>(load.rounds, nullptr);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

Status enqueue_schedule_record(Stream& stream, std::uint32_t* multiprocessor, std::uint32_t* ticket, std::uint32_t* counter,
                               int blocks) {
  record_order<<<static_cast<unsigned>(blocks), 128, 0, native(stream)>>>(multiprocessor, ticket, counter);
  DETBENCH_CUDA_TRY(cudaGetLastError());
  return {};
}

}  // namespace detbench
