// Provider `cuda` of convolutions: our depthwise weight gradient with atomics.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

/// "depthwise:atomic", for conv_wgrad of depthwise layers with square filters of 3 and 5, strides of 1 and 2, on a GPU: the
/// kernel of fixed_order:chunked64, whose chunks' f32 parts meet in atomics instead of in order. What it costs to fix the
/// order is the difference of the two. Claims nothing. Absent in builds without CUDA.
std::unique_ptr<Provider> make_cuda_convolution();

}  // namespace detbench
