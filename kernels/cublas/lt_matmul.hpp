// One product asked of cuBLASLt: its descriptors, its algorithms. Only files that are built with cuBLAS's headers
// (*_cublas.cpp) include this.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "kernels/cublas/gemm.hpp"
#include "kernels/cublas/library.hpp"
#include "kernels/cublas/lt_search.hpp"

namespace detbench::cublas {

/// What the memory and the device are taken to be when algorithms are chosen.
struct LtTarget {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  std::size_t alignment_bytes = 256;  ///< of every matrix; a power of two
  std::size_t workspace_cap_bytes = std::size_t{1} << 30;
  int sm_count_target = 0;  ///< 0: as many as there are
  bool emulated = false;    ///< only algorithms that say they emulate `compute`; others would quietly compute in f32
};

/// An algorithm ready to run.
struct LtAlgorithm {
  cublasLtMatmulAlgo_t algo{};
  std::size_t workspace_bytes = 0;
  std::size_t alignment_bytes = 1;           ///< that every matrix has to have
  std::map<std::string, std::string> notes;  ///< algo_bytes, waves, numerical_impl_flags
};

class LtMatmul final : public LtSource {
 public:
  /// Needs a device: the library makes no handle without one.
  static Result<std::unique_ptr<LtMatmul>> make(const Gemm& gemm, const LtTarget& target);
  /// The same with a library and a handle that the caller keeps: tests give a library of their own.
  static Result<std::unique_ptr<LtMatmul>> make(const Library& library, cublasLtHandle_t handle, const Gemm& gemm, const LtTarget& target);
  LtMatmul(const LtMatmul&) = delete;
  ~LtMatmul() override;

  Result<std::vector<int>> ids() override;
  Result<LtCapabilities> capabilities(int id) override;
  /// In every mode: the best `most` of all algorithms, the best `most` that split no k, and the best configuration of each
  /// algorithm by itself. An error only where none of these is answered.
  Result<std::vector<LtProposal>> heuristics(int most) override;
  LtVerdict check(const LtConfiguration& configuration) override;

  /// By AlgoInit with the configuration's values, or, where `bytes` is not empty, by these 64 bytes in hexadecimal, which
  /// must hold the configuration. Unsupported when the library refuses either, or asks for more alignment than there is.
  Result<LtAlgorithm> prepare(const LtConfiguration& configuration, const std::string& bytes);
  /// Enqueues out = a b. `workspace` holds at least algorithm.workspace_bytes and starts at a multiple of 256.
  Status multiply(const LtAlgorithm& algorithm, const void* a, const void* b, void* out, void* workspace, void* stream) const;

 private:
  LtMatmul(const Library& library, cublasLtHandle_t handle, const Gemm& gemm, const LtTarget& target)
      : library_(library), handle_(handle), gemm_(gemm), target_(target) {}
  struct Question {
    bool splits = true;  ///< whether k may be split
    int id = -1;         ///< the only algorithm to be looked at; -1: all
  };
  Status describe();
  Result<std::vector<LtProposal>> ask_heuristics(const Question& question, int most);
  Result<cublasLtMatmulAlgo_t> initialised(int id);
  Result<cublasLtMatmulAlgo_t> configured(const LtConfiguration& configuration);
  LtVerdict judge(const cublasLtMatmulAlgo_t& algo);
  /// The largest alignment that the algorithm wants of any of its matrices.
  Result<std::size_t> least_alignment(const cublasLtMatmulAlgo_t& algo) const;
  Status check_emulation(const cublasLtMatmulAlgo_t& algo) const;
  LtConfiguration read_configuration(const cublasLtMatmulAlgo_t& algo) const;

  const Library& library_;
  cublasLtHandle_t handle_;
  Gemm gemm_;
  LtTarget target_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  /// In cuBLAS's own order: its A is our b, its B our a; C is D.
  cublasLtMatrixLayout_t left_ = nullptr, right_ = nullptr, out_ = nullptr;
};

}  // namespace detbench::cublas
