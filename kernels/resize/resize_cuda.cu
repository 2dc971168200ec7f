// The gradient of bilinear resizing on a GPU: bilinear.hpp's functors, one thread per element.
#include "kernels/contention.hpp"
#include "kernels/resize/parts.hpp"
#include "kernels/simple_cuda.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::resize {
namespace {

template <class Launch>
Result<SimplePlanParts> parts_for(const Problem& problem, bool atomic, Launch&& launch) {
  const auto p = parse_resize(problem);
  if (!p) return tl::unexpected(p.error());
  auto parts = resize_parts(*p);
  if (!parts) return parts;
  if (atomic) parts->notes = contention_notes(most_outputs_over(p->sizes()));
  with_stored_type(p->storage, [&](auto stored) {
    parts->launch = [stored, launch, sizes = p->sizes()](std::span<const Tensor> in, std::span<const Tensor> out, Region, void* stream) {
      return launch(stored, sizes, in[0], out[0], stream);
    };
  });
  return parts;
}

Result<SimplePlanParts> cuda_scatter(const Problem& problem) {
  return parts_for(problem, true, []<class Stored>(Stored, const Sizes& sizes, const Tensor& dy, const Tensor& dx, void* stream) -> Status {
    if (auto s = simple_cuda::enqueue_zero(dx.region.data, dx.spec.bytes(), stream); !s) return s;
    return simple_cuda::enqueue_for_each(sizes.outputs(),
                                         Scatter<Stored, simple_cuda::AtomicAdd>{sizes, static_cast<const typename Stored::Stored*>(dy.region.data),
                                                                                 static_cast<float*>(dx.region.data), {}},
                                         stream);
  });
}

}  // namespace

Result<SimplePlanParts> cuda_gather(const Problem& problem) {
  return parts_for(problem, false, []<class Stored>(Stored, const Sizes& sizes, const Tensor& dy, const Tensor& dx, void* stream) -> Status {
    return simple_cuda::enqueue_for_each(
        sizes.inputs(), Gather<Stored>{sizes, static_cast<const typename Stored::Stored*>(dy.region.data), static_cast<float*>(dx.region.data)}, stream);
  });
}

std::unique_ptr<Provider> make_cuda_atomic_provider() {
  return std::make_unique<SimpleProvider>("cuda_atomic", DeviceKind::cuda,
                                          std::vector<SimpleAlgorithm>{{"scatter", {}, true, [](const Problem& problem, Device&) { return cuda_scatter(problem); }}});
}

}  // namespace detbench::resize
