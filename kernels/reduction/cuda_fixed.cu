// Sums on a grid of fixed size. Which thread adds which element depends on that grid alone, never on the GPU: 1024
// blocks of 256 threads are one wave on an H100 or H200 (132 multiprocessors, 8 such blocks each) and more than one on
// smaller GPUs, with the same bits.
#include "kernels/reduction/cuda_kernels.hpp"
#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {
namespace {

constexpr int fixed_grid = 1024;

template <class T, bool Wide>
__global__ void __launch_bounds__(block_threads)
    sum_shares(const T* __restrict__ x, std::int64_t n, T* __restrict__ partials) {
  const T own = strided_sum<Wide>(x, n, std::int64_t{blockIdx.x} * block_threads + threadIdx.x,
                                  std::int64_t{fixed_grid} * block_threads);
  const T total = block_sum<T, block_threads>(own);
  if (threadIdx.x == 0) partials[blockIdx.x] = total;
}

/// One block; thread t takes partials 4t .. 4t+3, then the block's tree.
template <class T>
__device__ void join_partials(const T* partials, T* sum) {
  T own[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) own[i] = partials[threadIdx.x * 4 + i];
  const T total = block_sum<T, block_threads>(fold_owned_lanes(own));
  if (threadIdx.x == 0) *sum = canonical_nan(total);
}
static_assert(fixed_grid == 4 * block_threads);

template <class T>
__global__ void __launch_bounds__(block_threads) join_shares(const T* partials, T* sum) {
  join_partials(partials, sum);
}

/// One launch: the block that finishes last joins the partials, in the same order whichever block that is.
template <class T, bool Wide>
__global__ void __launch_bounds__(block_threads)
    sum_shares_and_join(const T* __restrict__ x, std::int64_t n, volatile T* partials, unsigned* finished, T* sum) {
  __shared__ bool is_last;
  const T own = strided_sum<Wide>(x, n, std::int64_t{blockIdx.x} * block_threads + threadIdx.x,
                                  std::int64_t{fixed_grid} * block_threads);
  const T total = block_sum<T, block_threads>(own);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = total;
    __threadfence();  // the partial is visible to all before the count that announces it
    is_last = atomicAdd(finished, 1u) == fixed_grid - 1;
  }
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  join_partials(const_cast<const T*>(partials), sum);
}

template <class T>
Status two_pass(const SumCall<T>& call) {
  const auto stream = static_cast<cudaStream_t>(call.stream);
  T* partials = static_cast<T*>(call.workspace);
  if (is_aligned_to_16(call.x))
    sum_shares<T, true><<<fixed_grid, block_threads, 0, stream>>>(call.x, call.n, partials);
  else
    sum_shares<T, false><<<fixed_grid, block_threads, 0, stream>>>(call.x, call.n, partials);
  if (auto status = launched("two_pass, first pass"); !status) return status;
  join_shares<T><<<1, block_threads, 0, stream>>>(partials, call.sum);
  return launched("two_pass, second pass");
}

template <class T>
Status last_block(const SumCall<T>& call) {
  const auto stream = static_cast<cudaStream_t>(call.stream);
  T* partials = static_cast<T*>(call.workspace);
  auto* finished = reinterpret_cast<unsigned*>(partials + fixed_grid);
  if (auto status = checked(cudaMemsetAsync(finished, 0, sizeof *finished, stream), "cudaMemsetAsync"); !status)
    return status;
  if (is_aligned_to_16(call.x))
    sum_shares_and_join<T, true>
        <<<fixed_grid, block_threads, 0, stream>>>(call.x, call.n, partials, finished, call.sum);
  else
    sum_shares_and_join<T, false>
        <<<fixed_grid, block_threads, 0, stream>>>(call.x, call.n, partials, finished, call.sum);
  return launched("last_block");
}

Result<std::size_t> partials_and_counter(const SumProblem& problem, int) {
  return fixed_grid * size_of(problem.type) + sizeof(unsigned);
}

}  // namespace

std::unique_ptr<Provider> make_cuda_fixed_sums() {
  const Claim claim = claim_by_construction("fixed grid, shares and trees");
  std::vector<TableRow> rows;
  rows.push_back(cuda_fixed_tree_row());
  rows.push_back(sum_row({"two_pass", claim, two_pass<float>, two_pass<double>, partials_and_counter}));
  rows.push_back(sum_row({"last_block", claim, last_block<float>, last_block<double>, partials_and_counter}));
  rows.push_back(cuda_order_independent_row());
  return make_table_provider("cuda_fixed", DeviceKind::cuda, std::move(rows));
}

}  // namespace detbench::reduction
