// What a full sum or a dot product asks, and the shape that every algorithm for them has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "kernels/reduction/distribution.hpp"
#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/summands.hpp"
#include "kernels/reduction/table_provider.hpp"

namespace detbench::reduction {

struct SumProblem {
  std::int64_t n = 0;
  DataType stored = DataType::f32;
  DataType accumulator = DataType::f32;  ///< of the result, too: f64 for f64, else f32
  bool is_dot = false;
  Distribution distribution = Distribution::centred;
};
/// Reads problems of the operations `sum` and `dot`. Errors name the part that is wrong.
Result<SumProblem> parse_sum(const Problem& problem);
/// How input `role` ("src" of a sum, "x" and "y" of a dot) is filled.
Result<FillSpec> sum_fill(const SumProblem& problem, std::string_view role, const Inputs& inputs);

/// One run over a source of summands.
template <class Source>
struct SumCall {
  Source source;
  std::int64_t n;
  typename Source::Accumulator* sum;
  int threads;      ///< CPU threads to use
  Isa isa;          ///< for CPU kernels that are compiled per instruction set
  void* workspace;  ///< 64-byte aligned
  void* stream;     ///< cudaStream_t, or nullptr on a CPU
};

/// One function per source; a null one means that the algorithm does not exist for it.
template <class Source>
using SumFunction = Status (*)(const SumCall<Source>&);
using SumFunctions =
    std::tuple<SumFunction<Elements<float>>, SumFunction<Elements<double>>, SumFunction<Elements<F16Bits>>,
               SumFunction<Elements<Bf16Bits>>, SumFunction<Products<float>>, SumFunction<Products<double>>,
               SumFunction<Products<F16Bits>>, SumFunction<Products<Bf16Bits>>>;

/// One algorithm: its row's texts and what runs.
struct SumAlgorithm {
  std::string name = {};
  Claim claim = {};
  SumFunctions run = {};
  Result<std::size_t> (*workspace_bytes)(const SumProblem&, int threads) = nullptr;  ///< null: none
  bool has_isa = false;                                                              ///< takes the option `isa`
  std::int64_t largest_n = INT64_MAX;                                                ///< offered up to here ...
  std::string too_large = {};                                                        ///< ... because of this
  std::string missing = {};                                                          ///< why a null function is null
};
TableRow sum_row(SumAlgorithm algorithm, DeviceKind kind = DeviceKind::cpu);

namespace detail {
template <class Kernel, class Source>
Status run_kernel(const SumCall<Source>& call) {
  return Kernel::run(call);
}
template <class Kernel, class Source>
constexpr SumFunction<Source> function_of(SumFunction<Source>) {
  if constexpr (requires(const SumCall<Source>& call) { Kernel::run(call); })
    return run_kernel<Kernel, Source>;
  else
    return nullptr;
}
}  // namespace detail

/// The functions of a Kernel with a static member `run` that takes a SumCall: a template that is written once for all
/// sources, restricted by a requires-clause where it lacks some.
template <class Kernel>
constexpr SumFunctions sum_functions() {
  return std::apply([](auto... null) { return SumFunctions{detail::function_of<Kernel>(null)...}; }, SumFunctions{});
}

/// An algorithm for the sources that Kernel::run takes.
template <class Kernel>
SumAlgorithm sum_algorithm(std::string name, Claim claim = {}) {
  SumAlgorithm algorithm;
  algorithm.name = std::move(name);
  algorithm.claim = std::move(claim);
  algorithm.run = sum_functions<Kernel>();
  return algorithm;
}

/// Calls visit with a null pointer to the problem's source type: `visit(static_cast<Products<F16Bits>*>(nullptr))`.
template <class Visit>
decltype(auto) with_source(const SumProblem& problem, Visit&& visit) {
  const auto of = [&]<class S>(S*) -> decltype(auto) {
    return problem.is_dot ? visit(static_cast<Products<S>*>(nullptr)) : visit(static_cast<Elements<S>*>(nullptr));
  };
  switch (problem.stored) {
    case DataType::f64: return of(static_cast<double*>(nullptr));
    case DataType::f16: return of(static_cast<F16Bits*>(nullptr));
    case DataType::bf16: return of(static_cast<Bf16Bits*>(nullptr));
    default: return of(static_cast<float*>(nullptr));
  }
}

/// Bytes of one superaccumulator, and of one binned state, of CPU and CUDA alike.
Result<std::size_t> superaccumulator_bytes(const SumProblem& problem, int threads);
Result<std::size_t> binned_bytes(const SumProblem& problem, int threads);

/// Why f64_accumulator is missing for f64.
inline constexpr const char* no_wider_type = "f64_accumulator needs a type wider than the summands', and f64 has none here";

// One per provider; the absent twins answer with the reason. fixed_order and order_independent hold the rows of CPU and
// CUDA alike, because their bits are the same.
std::unique_ptr<Provider> make_openmp_sums();
std::unique_ptr<Provider> make_fixed_order_sums();
std::unique_ptr<Provider> make_order_independent_sums();
std::unique_ptr<Provider> make_tbb_sums();
std::unique_ptr<Provider> make_stdpar_sums();
std::unique_ptr<Provider> make_openblas_sums();

/// Unordered sums are cut into pieces of this many elements (256 KiB of f32): small enough to balance threads, large
/// enough that a dynamic schedule costs nothing. Inside a piece the order is that of lane_sum(), so that all
/// algorithms compute pieces equally fast and differ in how pieces meet, which is what is under test.
inline constexpr std::int64_t piece_elements = 65536;
constexpr std::int64_t piece_count(std::int64_t n) { return (n + piece_elements - 1) / piece_elements; }

}  // namespace detbench::reduction
