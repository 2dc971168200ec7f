#include "kernels/convolution/pad.hpp"

namespace detbench {

Status enqueue_pad(const TensorSpec&, const Padding&, const void*, void*, void*) {
  return unsupported("this build has no CUDA: images are padded on a GPU only");
}
Status enqueue_crop(const TensorSpec&, const Padding&, const void*, void*, void*) {
  return unsupported("this build has no CUDA: images are cropped on a GPU only");
}

}  // namespace detbench
