// cuBLAS handles and products. Only files that are built with cuBLAS's headers (*_cublas.cpp) include this.
#pragma once

#include <memory>
#include <string>

#include "kernels/cublas/gemm.hpp"
#include "kernels/cublas/library.hpp"

namespace detbench::cublas {

/// A cuBLAS handle of the current device; not to be used by two threads at once.
class Handle {
 public:
  /// cuBLAS reads CUBLAS_WORKSPACE_CONFIG when the first handle of a loaded library is made, and keeps it. So every
  /// configuration has a library of its own (library_for), and the variable is set to `workspace_config` (":4096:8"; empty:
  /// unset) while a handle is made, and put back: what the caller's environment says never reaches an arm whose name does
  /// not say it. A lock keeps handles apart; other threads must not write the environment meanwhile (a rule of setenv).
  static Result<std::unique_ptr<Handle>> make(const std::string& workspace_config = "");
  /// The same with a library that the caller keeps: tests give one of their own.
  static Result<std::unique_ptr<Handle>> make(const Library& library, const std::string& workspace_config);
  Handle(const Handle&) = delete;
  ~Handle();

  /// Also gives the handle back its default workspace: cublasSetStream always resets it, so set_workspace() comes after.
  Status set_stream(void* stream);
  /// Memory for this stream's products; 0 bytes: none. A multiple of 256 in address; must outlive the products.
  Status set_workspace(void* memory, std::size_t bytes);
  Status set_math_mode(cublasMath_t mode);
  Status allow_atomics(bool allowed);
  Status set_sm_count_target(int multiprocessors);
  /// Whenever the device can, not only where it is faster. Unsupported by libraries without emulation (before 12.9).
  Status emulate_eagerly();
  /// Enqueues out = a b on the handle's stream. Compute types of f32 and f64.
  Status multiply(const Gemm& gemm, const void* a, const void* b, void* out, cublasComputeType_t compute, cublasGemmAlgo_t algorithm);
  /// Enqueues result = sum of x[i] y[i] for i below n, vectors without gaps, all on the device. Unsupported for f16 and bf16,
  /// whose dot products cuBLAS gives in 16 bits only.
  Status dot(DataType type, std::int64_t n, const void* x, const void* y, void* result);
  /// The same as the product of an n x 1 matrix, transposed, and a vector. f16 and bf16 give f32.
  Status dot_by_gemv(DataType type, std::int64_t n, const void* matrix, const void* vector, void* result);

 private:
  Handle(const Library& library, cublasHandle_t handle) : library_(library), handle_(handle) {}
  const Library& library_;
  cublasHandle_t handle_;
};

cudaDataType to_cuda(DataType type);  ///< f32, f64, f16 and bf16

// Numbers instead of names, because older headers lack them: CUBLAS_COMPUTE_32F_EMULATED_16BFX9 came with 12.9,
// CUBLAS_COMPUTE_64F_EMULATED_FIXEDPOINT with 13.1.
inline constexpr auto compute_bf16x9 = static_cast<cublasComputeType_t>(78);
inline constexpr auto compute_fixed_point_f64 = static_cast<cublasComputeType_t>(79);
inline constexpr int first_version_with_bf16x9 = 120900, first_version_with_fixed_point = 130100;

}  // namespace detbench::cublas
