// Descriptors of cuDNN's legacy API as owners, and its tensors from ours. Only files that are built with cuDNN's headers
// include this.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/cudnn/graph.hpp"
#include "kernels/cudnn/handle.hpp"
#include "kernels/cudnn/library.hpp"
#include "kernels/cudnn/version.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::cudnn {

/// A descriptor like cudnnTensorDescriptor_t, destroyed with its last copy.
template <class T>
using Owned = std::shared_ptr<std::remove_pointer_t<T>>;

/// make_owned(library, library.cudnnCreatePoolingDescriptor, library.cudnnDestroyPoolingDescriptor)
template <class T>
Result<Owned<T>> make_owned(const Library& library, cudnnStatus_t (*create)(T*), cudnnStatus_t (*destroy)(T)) {
  T descriptor = nullptr;
  if (const auto status = create(&descriptor); status != CUDNN_STATUS_SUCCESS)
    return tl::unexpected(cudnn_reason(library, status, "creating a legacy descriptor"));
  return Owned<T>(descriptor, [destroy](T d) { destroy(d); });
}

/// An N,H,W,C tensor in a plain layout, or a matrix N,C (a vector: 1,C) as a fully packed N,C,1,1; sizes and strides have to fit
/// the API's int.
inline Result<Owned<cudnnTensorDescriptor_t>> make_legacy_tensor(const Library& library, const TensorSpec& spec) {
  if (!spec.layout.blocks.empty()) return unsupported("cuDNN's legacy API has no blocked layouts");
  GraphTensor t = activation_tensor(0, spec, static_cast<std::int64_t>(size_of(spec.type)));
  // Where sizes are 1 a stride has no meaning, but the library tells its layouts by them.
  if (spec.shape.size() < 4) t.strides[2] = t.strides[3] = 1;
  for (const auto* values : {&t.dims, &t.strides})
    for (const std::int64_t v : *values)
      if (v > std::numeric_limits<int>::max()) return unsupported("tensor '" + spec.role + "' is too large for cuDNN's legacy API, which counts in int");
  auto made = make_owned(library, library.cudnnCreateTensorDescriptor, library.cudnnDestroyTensorDescriptor);
  if (!made) return made;
  const auto d = [&](std::size_t i) { return static_cast<int>(t.dims[i]); };
  const auto s = [&](std::size_t i) { return static_cast<int>(t.strides[i]); };
  DETBENCH_CUDNN_TRY(library, cudnnSetTensor4dDescriptorEx(made->get(), t.type, d(0), d(1), d(2), d(3), s(0), s(1), s(2), s(3)));
  return made;
}

/// What the section "Reproducibility (Determinism)" of cuDNN's developer guide says of a routine; CudnnLegacyProvider adds the
/// version. Routines that it does not list are said to give the same bits from run to run on one architecture.
inline Claim documented_claim(bool listed_as_nondeterministic) {
  const std::string guide = "developer guide, Reproducibility (Determinism): ";
  if (listed_as_nondeterministic) return {Guarantee::not_guaranteed, guide + "listed as nondeterministic", {}};
  return {Guarantee::run_to_run, guide + "not listed", {Scope::repeat, Scope::process, Scope::load, Scope::placement}};
}

/// Algorithms of the legacy API: one row with the reason where the library cannot be loaded, its version in every claim.
class CudnnLegacyProvider final : public SimpleProvider {
 public:
  explicit CudnnLegacyProvider(std::vector<SimpleAlgorithm> algorithms) : SimpleProvider("cudnn_legacy", DeviceKind::cuda, std::move(algorithms)) {}
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    if (device.kind() != DeviceKind::cuda) return SimpleProvider::offers(problem, device);
    const auto version = cudnn_version();
    if (!version) return std::vector<Offer>{{{"cudnn_legacy", "any", {}, {}}, version.error()}};
    auto offers = SimpleProvider::offers(problem, device);
    if (!offers) return offers;
    for (Offer& offer : *offers) offer.algorithm.claim.source = "cuDNN " + *version + " " + offer.algorithm.claim.source;
    return offers;
  }
};

}  // namespace detbench::cudnn
