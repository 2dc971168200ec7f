#include "kernels/matmul/product_providers.hpp"

namespace detbench {
namespace {

constexpr const char* absent_reason = "this build has no cuBLAS: configure with DETBENCH_CUDA=ON where cublasLt.h is";

}  // namespace

std::unique_ptr<Provider> make_cublas_products(const AlgorithmSearch&) { return make_absent_provider("cublas", absent_reason); }
std::unique_ptr<Provider> make_cublaslt_products(const AlgorithmSearch&) { return make_absent_provider("cublaslt", absent_reason); }

}  // namespace detbench
