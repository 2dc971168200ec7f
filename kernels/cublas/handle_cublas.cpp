#include <cstdlib>
#include <mutex>
#include <optional>

#include "kernels/cublas/handle.hpp"

namespace detbench::cublas {
namespace {

/// Sets a variable (empty: unsets it) and puts the old value back. Touches nothing where nothing changes, as for every
/// arm that wants no configuration: another thread that reads the environment meanwhile is safe then.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    changed_ = old_.value_or("") != value;
    if (!changed_) return;
    if (value.empty()) unsetenv(name);
    else setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (!changed_) return;
    if (old_) setenv(name_, old_->c_str(), 1);
    else unsetenv(name_);
  }
  ScopedVariable(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
  bool changed_ = false;
};

}  // namespace

Result<std::unique_ptr<Handle>> Handle::make(const std::string& workspace_config) {
  const auto loaded = library_for(workspace_config);
  if (!loaded) return tl::unexpected(loaded.error());
  return make(**loaded, workspace_config);
}

Result<std::unique_ptr<Handle>> Handle::make(const Library& library, const std::string& workspace_config) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const ScopedVariable variable("CUBLAS_WORKSPACE_CONFIG", workspace_config);
  cublasHandle_t handle = nullptr;
  DETBENCH_CUBLAS_TRY(library, cublasCreate_v2(&handle));
  return std::unique_ptr<Handle>(new Handle(library, handle));
}

Handle::~Handle() { library_.cublasDestroy_v2(handle_); }

Status Handle::set_stream(void* stream) {
  DETBENCH_CUBLAS_TRY(library_, cublasSetStream_v2(handle_, static_cast<cudaStream_t>(stream)));
  return {};
}

Status Handle::set_workspace(void* memory, std::size_t bytes) {
  DETBENCH_CUBLAS_TRY(library_, cublasSetWorkspace_v2(handle_, memory, bytes));
  return {};
}

Status Handle::set_math_mode(cublasMath_t mode) {
  DETBENCH_CUBLAS_TRY(library_, cublasSetMathMode(handle_, mode));
  return {};
}

Status Handle::allow_atomics(bool allowed) {
  DETBENCH_CUBLAS_TRY(library_, cublasSetAtomicsMode(handle_, allowed ? CUBLAS_ATOMICS_ALLOWED : CUBLAS_ATOMICS_NOT_ALLOWED));
  return {};
}

Status Handle::set_sm_count_target(int multiprocessors) {
  DETBENCH_CUBLAS_TRY(library_, cublasSetSmCountTarget(handle_, multiprocessors));
  return {};
}

Status Handle::emulate_eagerly() {
  if (library_.set_emulation_strategy == nullptr)
    return unsupported("cuBLAS " + version_text(library_.version) + " emulates nothing: version 12.9 or newer does");
  constexpr int eager = 2;  // CUBLAS_EMULATION_STRATEGY_EAGER
  DETBENCH_CUBLAS_TRY(library_, set_emulation_strategy(handle_, eager));
  return {};
}

Status Handle::multiply(const Gemm& g, const void* a, const void* b, void* out, cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  // The factors have the compute type's own type, and lie in host memory (the handle's default pointer mode).
  const bool wide = compute == CUBLAS_COMPUTE_64F || compute == compute_fixed_point_f64;
  const float one = 1, zero = 0;
  const double wide_one = 1, wide_zero = 0;
  const void *alpha = wide ? static_cast<const void*>(&wide_one) : &one, *beta = wide ? static_cast<const void*>(&wide_zero) : &zero;
  const auto c = column_major(g);
  const auto type = to_cuda(g.input);
  DETBENCH_CUBLAS_TRY(library_, cublasGemmEx_64(handle_, c.left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, c.right.transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                                                c.m, c.n, c.k, alpha, b, type, c.left.rows, a, type, c.right.rows, beta, out, to_cuda(g.output), c.m,
                                                compute, algorithm));
  return {};
}

Status Handle::dot(DataType type, std::int64_t n, const void* x, const void* y, void* result) {
  if (type != DataType::f32 && type != DataType::f64) return unsupported("cublasDotEx gives the dot product of 16-bit vectors in 16 bits only");
  const auto cuda = to_cuda(type);
  // With the result in host memory the call would wait for it.
  DETBENCH_CUBLAS_TRY(library_, cublasSetPointerMode_v2(handle_, CUBLAS_POINTER_MODE_DEVICE));
  const cublasStatus_t status = library_.cublasDotEx_64(handle_, n, x, cuda, 1, y, cuda, 1, result, cuda, cuda);
  DETBENCH_CUBLAS_TRY(library_, cublasSetPointerMode_v2(handle_, CUBLAS_POINTER_MODE_HOST));
  if (status != CUBLAS_STATUS_SUCCESS) return tl::unexpected(cublas_reason(library_, status, "cublasDotEx_64"));
  return {};
}

Status Handle::dot_by_gemv(DataType type, std::int64_t n, const void* matrix, const void* vector, void* result) {
  const float one = 1, zero = 0;
  const double wide_one = 1, wide_zero = 0;
  auto* narrow = static_cast<float*>(result);
  switch (type) {
    case DataType::f64:
      DETBENCH_CUBLAS_TRY(library_, cublasDgemv_v2_64(handle_, CUBLAS_OP_T, n, 1, &wide_one, static_cast<const double*>(matrix), n,
                                                      static_cast<const double*>(vector), 1, &wide_zero, static_cast<double*>(result), 1));
      return {};
    // Plain gemv knows no 16-bit types; a batch of one is the same product.
    case DataType::f16:
      DETBENCH_CUBLAS_TRY(library_, cublasHSSgemvStridedBatched_64(handle_, CUBLAS_OP_T, n, 1, &one, static_cast<const __half*>(matrix), n, n,
                                                                   static_cast<const __half*>(vector), 1, n, &zero, narrow, 1, 1, 1));
      return {};
    case DataType::bf16:
      DETBENCH_CUBLAS_TRY(library_, cublasTSSgemvStridedBatched_64(handle_, CUBLAS_OP_T, n, 1, &one, static_cast<const __nv_bfloat16*>(matrix), n, n,
                                                                   static_cast<const __nv_bfloat16*>(vector), 1, n, &zero, narrow, 1, 1, 1));
      return {};
    default:
      DETBENCH_CUBLAS_TRY(library_, cublasSgemv_v2_64(handle_, CUBLAS_OP_T, n, 1, &one, static_cast<const float*>(matrix), n,
                                                      static_cast<const float*>(vector), 1, &zero, narrow, 1));
      return {};
  }
}

cudaDataType to_cuda(DataType type) {
  switch (type) {
    case DataType::f64: return CUDA_R_64F;
    case DataType::f16: return CUDA_R_16F;
    case DataType::bf16: return CUDA_R_16BF;
    default: return CUDA_R_32F;
  }
}

}  // namespace detbench::cublas
