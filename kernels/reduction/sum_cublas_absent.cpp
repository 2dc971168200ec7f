#include "kernels/reduction/cuda_sums.hpp"

namespace detbench::reduction {

std::unique_ptr<Provider> make_cublas_sums() {
  return make_absent_provider("cublas", "this build has no cuBLAS: configure with DETBENCH_CUDA=ON where cublasLt.h is");
}

}  // namespace detbench::reduction
