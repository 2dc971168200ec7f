// The functions of cuBLAS and cuBLASLt, taken from the libraries that were found when the program runs. Only files that are
// built with their headers (*_cublas.cpp) include this; `version.hpp` is the plain face of it.
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>

#include <filesystem>
#include <string>

#include "kernels/result.hpp"

/// Every function that this program calls, a line each; names as the libraries export them, because cublas_v2.h renames
/// the old ones by macros and overloads cublasGemmEx.
#define DETBENCH_CUBLAS_FUNCTIONS(X)                                                                           \
  X(cublasGetProperty) X(cublasGetStatusName) X(cublasGetStatusString)                                         \
  X(cublasCreate_v2) X(cublasDestroy_v2) X(cublasSetStream_v2) X(cublasSetWorkspace_v2)                        \
  X(cublasSetMathMode) X(cublasSetAtomicsMode) X(cublasSetSmCountTarget) X(cublasGemmEx_64)                    \
  X(cublasSetPointerMode_v2) X(cublasDotEx_64) X(cublasSgemv_v2_64) X(cublasDgemv_v2_64)                       \
  X(cublasHSSgemvStridedBatched_64) X(cublasTSSgemvStridedBatched_64)
#define DETBENCH_CUBLASLT_FUNCTIONS(X)                                                                         \
  X(cublasLtGetVersion) X(cublasLtCreate)                                                                      \
  X(cublasLtMatmul)                                                                                            \
  X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy) X(cublasLtMatmulDescSetAttribute)                   \
  X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy)                                                 \
  X(cublasLtMatmulPreferenceCreate) X(cublasLtMatmulPreferenceDestroy) X(cublasLtMatmulPreferenceSetAttribute) \
  X(cublasLtMatmulAlgoGetHeuristic) X(cublasLtMatmulAlgoGetIds) X(cublasLtMatmulAlgoInit)                      \
  X(cublasLtMatmulAlgoCheck) X(cublasLtMatmulAlgoCapGetAttribute)                                              \
  X(cublasLtMatmulAlgoConfigSetAttribute) X(cublasLtMatmulAlgoConfigGetAttribute)

namespace detbench::cublas {

struct Library {
#define DETBENCH_DECLARE(name) decltype(&::name) name = nullptr;
  DETBENCH_CUBLAS_FUNCTIONS(DETBENCH_DECLARE)
  DETBENCH_CUBLASLT_FUNCTIONS(DETBENCH_DECLARE)
#undef DETBENCH_DECLARE
  /// cublasSetEmulationStrategy, which headers before 12.9 do not declare and later ones overload; its second argument is
  /// an enumeration of int. nullptr where the library has none.
  cublasStatus_t (*set_emulation_strategy)(cublasHandle_t, int) = nullptr;
  std::filesystem::path path, lt_path;
  int version = 0;  ///< of both libraries that were loaded, like 130100; CUBLAS_VERSION is the headers'
};

std::string version_text(int version);  ///< "13.1.0"

/// Loaded at the first call, with every function resolved; later calls give the same answer. The search order is that of
/// kernels/device/dynamic_library.hpp with DETBENCH_CUBLAS_DIR. Needs no GPU. Thread-safe.
Result<const Library*> library();

/// The library for handles with this CUBLAS_WORKSPACE_CONFIG ("": without it, library() itself). cuBLAS keeps what the
/// variable said when the first handle was made (13.1: a static variable of the library), so every configuration has an
/// instance of cuBLAS of its own; cuBLASLt, which does not read it, is shared. Kept for the life of the process. Thread-safe.
Result<const Library*> library_for(const std::string& workspace_config);

/// "cublasLtMatmul: CUBLAS_STATUS_NOT_SUPPORTED (15)"; unsupported or out of memory where the status says so.
Reason cublas_reason(const Library& library, cublasStatus_t status, const char* call);

}  // namespace detbench::cublas

/// Leaves the function, which returns a Status or a Result, with the reason when the call failed; `library` is in scope
/// as a `const Library&`: DETBENCH_CUBLAS_TRY(library, cublasSetStream_v2(handle, stream)).
#define DETBENCH_CUBLAS_TRY(library, call)                                                                    \
  do {                                                                                                        \
    if (const cublasStatus_t status_ = (library).call; status_ != CUBLAS_STATUS_SUCCESS)                      \
      return tl::unexpected<::detbench::Reason>(::detbench::cublas::cublas_reason(library, status_, #call));  \
  } while (false)
