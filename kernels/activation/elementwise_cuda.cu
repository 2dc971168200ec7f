// Element-by-element operations on a GPU.
#include "kernels/activation/parts.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::activation {

Result<SimplePlanParts> cuda_elementwise_parts(Kind kind, SimplePlanParts parts) {
  parts.launch = [kind, n = parts.inputs[0].shape[0]](std::span<const Tensor> in, std::span<const Tensor> out, Region, void* stream) {
    const Arrays arrays{static_cast<const float*>(in[0].region.data), in.size() > 1 ? static_cast<const float*>(in[1].region.data) : nullptr,
                        static_cast<float*>(out[0].region.data)};
    return with_functor(kind, arrays, [&](const auto& f) { return simple_cuda::enqueue_for_each(n, f, stream); });
  };
  return parts;
}

}  // namespace detbench::activation
