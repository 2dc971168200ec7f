// Our own reorder on a GPU, and what it shares with the CPU's.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench::reorder {

/// True when every element has one offset in both, whatever the types.
bool same_places(const TensorSpec& a, const TensorSpec& b);

/// A reason where the build has no CUDA, or for a layout that a kernel cannot be given.
Status check_cuda_reorder(const TensorSpec& from, const TensorSpec& to);
Result<std::unique_ptr<Op>> bind_cuda_reorder(const Tensor& source, const Tensor& target, Stream& stream);

}  // namespace detbench::reorder
