// Which cuBLAS answers here: the plain face of kernels/cublas, built everywhere.
#pragma once

#include <string>

#include "kernels/result.hpp"

namespace detbench {

/// "13.1.0" of the library that is loaded when the program runs (cuBLAS and cuBLASLt are of one version, else neither is
/// taken); the reason when the build has none, none is found, or the one found does not fit the build's headers.
Result<std::string> cublas_version();

}  // namespace detbench
