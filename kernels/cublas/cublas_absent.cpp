#include "kernels/cublas/version.hpp"

namespace detbench {

Result<std::string> cublas_version() { return unsupported("this build has no cuBLAS: cublasLt.h was not found when it was configured"); }

}  // namespace detbench
