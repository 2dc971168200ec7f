// Fixed-order convolutions on a GPU: the bits of the CPU's (fixed_order.hpp). Plain header; builds without CUDA have the
// absent half, which answers with the reason.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/convolution/problem.hpp"
#include "kernels/op.hpp"

namespace detbench::fixed_order {

/// Success where this build has the kernels.
Status can_run_on_gpu();

/// f32 parts of a weight gradient's chunks, where they are not the result itself; else 0.
std::size_t gpu_workspace_bytes(const ConvolutionProblem& problem);

/// Enqueues the convolution on a stream (a cudaStream_t). Inputs in the order of tensors_of(), canonical, stored as the
/// problem's types say; `output_type` is f32 or the storage type, so that a caller who goes on in f32 rounds once.
Status enqueue_on_gpu(const ConvolutionProblem& problem, const void* first, const void* second, void* output, DataType output_type,
                      void* workspace, void* stream);

/// Tensors as tensors_of() says for layout nhwc.
Result<std::unique_ptr<Plan>> plan_on_gpu(const ConvolutionProblem& problem);

}  // namespace detbench::fixed_order
