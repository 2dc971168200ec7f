// Dropout inside a train step, on a GPU: one thread per Philox call, or per element where samples are dropped whole.
#include "kernels/dropout/parts.hpp"
#include "kernels/dropout/step_mask.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::dropout {
namespace {

/// A block takes pieces of one sample, so that the sample's word is drawn once for each.
template <class Type>
__global__ void __launch_bounds__(simple_cuda::block_threads)
    drop_samples(Mask mask, const std::int32_t* __restrict__ step, std::int64_t samples, std::int64_t elements, std::int64_t piece, std::int64_t pieces,
                 const typename Type::Stored* x, typename Type::Stored* y) {
  for (std::int64_t k = blockIdx.x; k < samples * pieces; k += gridDim.x) {
    const std::int64_t sample = k / pieces, begin = k % pieces * piece;
    const std::int64_t end = begin + piece < elements ? begin + piece : elements;
    const std::uint32_t word = sample_word(mask, sample, *step);
#pragma unroll 4
    for (std::int64_t i = begin + threadIdx.x; i < end; i += simple_cuda::block_threads) {
      const std::int64_t at = sample * elements + i;
      y[at] = Type::narrow(mask.apply(word, Type::widen(x[at])));
    }
  }
}

}  // namespace

Result<SimplePlanParts> cuda_step_dropout_parts(SimplePlanParts parts, const StepDropout& dropout) {
  const DataType type = parts.inputs[0].type;
  parts.launch = [type, dropout, mask = mask_of(dropout)](std::span<const Tensor> in, std::span<const Tensor> out, Region, void* native) {
    return with_stored_type(type, [&](auto t) -> Status {
      using Type = decltype(t);
      using Stored = typename Type::Stored;
      const auto* x = static_cast<const Stored*>(in[0].region.data);
      auto* y = static_cast<Stored*>(out[0].region.data);
      const auto* step = static_cast<const std::int32_t*>(in[1].region.data);
      if (!dropout.whole_samples) {
        const std::int64_t n = dropout.samples * dropout.elements_per_sample;
        return simple_cuda::enqueue_for_each((n + 3) / 4, ApplyStep<Type>{mask, n, x, y, step}, native);
      }
      constexpr std::int64_t piece = 8 * simple_cuda::block_threads;
      const std::int64_t pieces = (dropout.elements_per_sample + piece - 1) / piece;
      drop_samples<Type><<<simple_cuda::blocks_for(dropout.samples * pieces, 1), simple_cuda::block_threads, 0, simple_cuda::stream_of(native)>>>(
          mask, step, dropout.samples, dropout.elements_per_sample, piece, pieces, x, y);
      DETBENCH_CUDA_TRY(cudaGetLastError());
      return {};
    });
  };
  return parts;
}

}  // namespace detbench::dropout
