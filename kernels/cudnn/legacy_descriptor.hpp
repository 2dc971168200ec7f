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
#include "kernels/cudnn/library.hpp"

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

/// An N,H,W,C tensor in a plain layout, or a matrix N,C as N,C,1,1; sizes and strides have to fit the API's int.
inline Result<Owned<cudnnTensorDescriptor_t>> make_legacy_tensor(const Library& library, const TensorSpec& spec) {
  if (!spec.layout.blocks.empty()) return unsupported("cuDNN's legacy API has no blocked layouts");
  const GraphTensor t = activation_tensor(0, spec, static_cast<std::int64_t>(size_of(spec.type)));
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

}  // namespace detbench::cudnn
