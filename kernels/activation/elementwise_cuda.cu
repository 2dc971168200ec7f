// Element-by-element operations on a GPU.
#include "kernels/activation/parts.hpp"
#include "kernels/reduction/channel_chunks.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::activation {
namespace {

template <class Stored>
SimpleLaunch launch_of(Kind kind, std::int64_t n) {
  using Word = typename Stored::Word;
  return [kind, n](std::span<const Tensor> in, std::span<const Tensor> out, Region, void* stream) {
    const Arrays<Stored> arrays{static_cast<const Word*>(in[0].region.data), in.size() > 1 ? static_cast<const Word*>(in[1].region.data) : nullptr,
                                static_cast<Word*>(out[0].region.data)};
    return with_functor(kind, arrays, [&](const auto& f) { return simple_cuda::enqueue_for_each(n, f, stream); });
  };
}

}  // namespace

Result<SimplePlanParts> cuda_elementwise_parts(Kind kind, SimplePlanParts parts) {
  const std::int64_t n = parts.inputs[0].shape[0];
  switch (parts.inputs[0].type) {
    case DataType::f16: parts.launch = launch_of<reduction::StoredF16>(kind, n); break;
    case DataType::bf16: parts.launch = launch_of<reduction::StoredBf16>(kind, n); break;
    default: parts.launch = launch_of<reduction::StoredF32>(kind, n);
  }
  return parts;
}

}  // namespace detbench::activation
