// What a sum asks, and the shape that every algorithm for it has.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/table_provider.hpp"

namespace detbench::reduction {

struct SumProblem {
  std::int64_t n = 0;
  DataType type = DataType::f32;
};
/// Errors name the part that is wrong.
Result<SumProblem> parse_sum(const Problem& problem);

/// One run of a sum in T.
template <class T>
struct SumCall {
  const T* x;
  std::int64_t n;
  T* sum;
  int threads;      ///< CPU threads to use
  Isa isa;          ///< for CPU kernels that are compiled per instruction set
  void* workspace;  ///< 64-byte aligned
  void* stream;     ///< cudaStream_t, or nullptr on a CPU
};

/// One algorithm: its row's texts and what runs for either type; a null function means that the type is missing.
struct SumAlgorithm {
  std::string name = {};
  Claim claim = {};
  Status (*run_f32)(const SumCall<float>&) = nullptr;
  Status (*run_f64)(const SumCall<double>&) = nullptr;
  Result<std::size_t> (*workspace_bytes)(const SumProblem&, int threads) = nullptr;  ///< null: none
  bool has_isa = false;                                                              ///< takes the option `isa`
  std::int64_t largest_n = INT64_MAX;                                                ///< offered up to here ...
  std::string too_large = {};                                                        ///< ... because of this
  std::string missing_type = {};                                                     ///< why a null function is null
};
TableRow sum_row(SumAlgorithm algorithm);

/// Bytes of one exact accumulator, of CPU and CUDA alike.
Result<std::size_t> superaccumulator_bytes(const SumProblem& problem, int threads);

// One per provider; the absent twins answer with the reason.
std::unique_ptr<Provider> make_openmp_sums();
std::unique_ptr<Provider> make_fixed_order_sums();
std::unique_ptr<Provider> make_order_independent_sums();
std::unique_ptr<Provider> make_tbb_sums();
std::unique_ptr<Provider> make_stdpar_sums();
std::unique_ptr<Provider> make_cuda_atomic_sums();
std::unique_ptr<Provider> make_cuda_fixed_sums();
std::unique_ptr<Provider> make_cub_sums();

/// Unordered sums are cut into pieces of this many elements (256 KiB of f32): small enough to balance threads, large
/// enough that a dynamic schedule costs nothing. Inside a piece the order is that of lane_sum(), so that all
/// algorithms compute pieces equally fast and differ in how pieces meet, which is what is under test.
inline constexpr std::int64_t piece_elements = 65536;
constexpr std::int64_t piece_count(std::int64_t n) { return (n + piece_elements - 1) / piece_elements; }

}  // namespace detbench::reduction
