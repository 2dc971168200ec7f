#include "kernels/convolution/fixed_order_tiles.inl"

namespace detbench::fixed_order {

template Status enqueue_gather_tiles<Bf16>(const ConvolutionProblem&, const void*, const void*, void*, bool, bool, void*);
template Status enqueue_pixel_tiles<Bf16>(const ConvolutionProblem&, const void*, const void*, float*, bool, void*);

}  // namespace detbench::fixed_order
