// Scatter-adds that meet in floating-point atomics, from one per value to one per block and bin. Orders: values, warps,
// threads or blocks meet in a bin as they get through; what a thread, warp or block joined before keeps an order of its
// own, except in `block_private`, whose threads meet in shared memory by atomics too.
//
// Bins in 16 bits are added with the half and bf16 forms of atomicAdd, which round to 16 bits every time.
#include "kernels/scatter_add/aggregation.hpp"
#include "kernels/scatter_add/cuda_updates.hpp"

namespace detbench::scatter_add {
namespace {

constexpr std::int64_t shared_bytes = 48 << 10;  ///< what a block has without asking for more

/// How a sum in the accumulator's type is added to a bin. f32 and f64 for all; 16 bits: value of f16 and bf16 are exact.
template <class Stored>
struct Bin {
  using Sum = float;
  static __device__ __forceinline__ Stored from(float value) {
    if constexpr (std::is_same_v<Stored, __half>) return __float2half_rn(value);
    else if constexpr (std::is_same_v<Stored, __nv_bfloat16>) return __float2bfloat16_rn(value);
    else return value;
  }
};
template <>
struct Bin<double> {
  using Sum = double;
  static __device__ __forceinline__ double from(double value) { return value; }
};

template <class Stored>
__device__ __forceinline__ void add_to_bin(const ScatterCall& call, std::int64_t output, typename Bin<Stored>::Sum value) {
  atomicAdd(static_cast<Stored*>(call.out) + output, Bin<Stored>::from(value));
}

template <class Stored>
__global__ void __launch_bounds__(block_threads) add_each_value(ScatterCall call) {
  using Sum = typename Bin<Stored>::Sum;
  for (std::int64_t i = first_of_grid(); i < call.n * call.width; i += step_of_grid())
    add_to_bin<Stored>(call, output_of(call, i), value_at<Sum>(call, i));
}

/// Lanes of a warp with the same bin give their values to the lowest of them. Hardware before sm_70 has no match.
template <class Stored>
__global__ void __launch_bounds__(block_threads) add_each_warp(ScatterCall call) {
  using Sum = typename Bin<Stored>::Sum;
  const int lane = threadIdx.x % 32;
  // All lanes of a warp go round together, so that shuffles find them; those beyond the end hold a bin that is none.
  for (std::int64_t i = first_of_grid(); i - lane < call.n; i += step_of_grid()) {
    const bool present = i < call.n;
    const std::int32_t bin = present ? target_of(call.targets, i) : -1;
    const Sum value = present ? value_at<Sum>(call, i) : Sum(0);
    const std::uint32_t peers = __match_any_sync(reduction::full_warp, bin);
    std::uint32_t rest = peers & ~(std::uint32_t{1} << lane);
    Sum sum = value;
    while (__any_sync(reduction::full_warp, rest != 0)) {
      const int next = rest != 0 ? __ffs(static_cast<int>(rest)) - 1 : lane;
      const Sum other = __shfl_sync(reduction::full_warp, value, next);
      if (rest != 0) sum += other;
      rest &= rest - 1;
    }
    if (present && leads(peers, lane)) add_to_bin<Stored>(call, bin, sum);
  }
}

template <class Stored>
__global__ void __launch_bounds__(block_threads) add_each_run(ScatterCall call) {
  using Sum = typename Bin<Stored>::Sum;
  for (std::int64_t t = first_of_grid(); t < run_count(call.n) * call.width; t += step_of_grid()) {
    const std::int64_t row = call.by_width.quotient(t), column = t - row * call.width;
    add_run<Sum>(
        run_of(row, call.n), [&](std::int64_t update) { return target_of(call.targets, update); },
        [&](std::int64_t update) { return value_at<Sum>(call, update * call.width + column); },
        [&](std::int32_t bin, Sum sum) { add_to_bin<Stored>(call, std::int64_t{bin} * call.width + column, sum); });
  }
}

/// Every block has all bins in shared memory, where its threads meet, and adds them to the joint bins at its end.
template <class Stored>
__global__ void __launch_bounds__(block_threads) add_each_block(ScatterCall call) {
  using Sum = typename Bin<Stored>::Sum;
  extern __shared__ unsigned char shared[];
  auto* own = reinterpret_cast<Sum*>(shared);
  const std::int64_t outputs = call.bins * call.width;
  for (std::int64_t output = threadIdx.x; output < outputs; output += block_threads) own[output] = Sum(0);
  __syncthreads();
  for (std::int64_t i = first_of_grid(); i < call.n * call.width; i += step_of_grid())
    atomicAdd(own + output_of(call, i), value_at<Sum>(call, i));
  __syncthreads();
  for (std::int64_t output = threadIdx.x; output < outputs; output += block_threads)
    if (own[output] != Sum(0)) add_to_bin<Stored>(call, output, own[output]);
}

/// Zeroes the bins, then launches Kernel<bins' type> for `pieces` of work.
#define DETBENCH_ADD_ONTO_ZERO(kernel, call, pieces, shared)                                                    \
  if (auto s = zero(call, call.out, static_cast<std::size_t>(call.outputs()) * size_of(call.bin)); !s) return s; \
  return on_filling_grid(call, pieces, #kernel, [&](int grid, cudaStream_t stream) {                            \
    switch (call.bin) {                                                                                         \
      case DataType::f64: kernel<double><<<grid, block_threads, shared, stream>>>(call); break;                 \
      case DataType::f16: kernel<__half><<<grid, block_threads, shared, stream>>>(call); break;                 \
      case DataType::bf16: kernel<__nv_bfloat16><<<grid, block_threads, shared, stream>>>(call); break;         \
      default: kernel<float><<<grid, block_threads, shared, stream>>>(call);                                    \
    }                                                                                                           \
  })

Status atomic(const ScatterCall& call) { DETBENCH_ADD_ONTO_ZERO(add_each_value, call, call.n * call.width, 0); }
Status warp_aggregated(const ScatterCall& call) { DETBENCH_ADD_ONTO_ZERO(add_each_warp, call, call.n, 0); }
Status thread_aggregated(const ScatterCall& call) { DETBENCH_ADD_ONTO_ZERO(add_each_run, call, run_count(call.n) * call.width, 0); }

std::size_t block_bytes(std::int64_t outputs, DataType bin) { return static_cast<std::size_t>(outputs) * (bin == DataType::f64 ? sizeof(double) : sizeof(float)); }

Status block_private(const ScatterCall& call) {
  // A block should add many values for each bin that it has to zero and to hand on.
  const std::int64_t pieces = call.n * call.width / 8;
  DETBENCH_ADD_ONTO_ZERO(add_each_block, call, pieces, block_bytes(call.outputs(), call.bin));
}

#undef DETBENCH_ADD_ONTO_ZERO

}  // namespace

std::unique_ptr<Provider> make_cuda_atomic_scatters() {
  ScatterAlgorithm warp{"warp_aggregated", {}, warp_aggregated};
  warp.missing = [](const ScatterProblem& problem) -> std::string {
    return problem.width == 1 ? "" : "the lanes of a warp hold neighbouring columns, which share no bin: thread_aggregated joins rows";
  };
  warp.most_partials = [](const ScatterProblem& problem, int) { return most_partials_of_a_bin(problem, 32); };
  ScatterAlgorithm thread{"thread_aggregated", {}, thread_aggregated};
  thread.most_partials = [](const ScatterProblem& problem, int) { return most_partials_of_a_bin(problem, run_updates); };
  ScatterAlgorithm block{"block_private", {}, block_private};
  block.missing = [](const ScatterProblem& problem) -> std::string {
    const auto bytes = block_bytes(problem.outputs(), problem.bin);
    return bytes <= shared_bytes ? "" : "a block's own bins need " + std::to_string(bytes) + " bytes of shared memory; it has " + std::to_string(shared_bytes);
  };
  std::vector<reduction::TableRow> rows;
  for (auto& algorithm : {ScatterAlgorithm{"atomic", {}, atomic}, warp, thread, block})
    rows.push_back(scatter_row(DeviceKind::cuda, algorithm));
  return reduction::make_table_provider("cuda_atomic", std::move(rows));
}

}  // namespace detbench::scatter_add
