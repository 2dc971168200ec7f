// Environment variables that change what cuBLAS and cuBLASLt compute. Built everywhere: the manifest records them where
// there is no GPU too.
#pragma once

#include <map>
#include <span>
#include <string>

#include "kernels/result.hpp"

namespace detbench {

/// Every variable that is set and can change bits: all of CUBLAS_* and CUBLASLT_* (workspace configuration, emulation,
/// heuristics caches and tables; unknown ones too, because new versions bring new ones) and NVIDIA_TF32_OVERRIDE. Names
/// with their values, sorted. `entries` are "NAME=value" texts; without them this process' environment is read.
std::map<std::string, std::string> cublas_environment(std::span<const char* const> entries);
std::map<std::string, std::string> cublas_environment();

/// A reason when a variable makes every arm compute something other than its name says: an emulation variable, which
/// replaces the arithmetic of f32 or f64 products behind the program's back, or NVIDIA_TF32_OVERRIDE, which turns
/// TF32 off where it was asked for (0) or on where it was not (any other value). CUBLAS_WORKSPACE_CONFIG is no
/// reason: handles are made with it put aside (kernels/cublas/handle.hpp).
Status check_cublas_environment(const std::map<std::string, std::string>& variables);
Status check_cublas_environment();

}  // namespace detbench
