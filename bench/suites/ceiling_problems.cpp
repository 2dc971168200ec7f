#include "bench/suites/ceiling_problems.hpp"

#include <algorithm>
#include <cstdint>

#include "kernels/arithmetic_rate/fma_rate.hpp"
#include "kernels/matmul/matmul_problem.hpp"
#include "kernels/memory_traffic/memory_traffic.hpp"

namespace detbench {
namespace {

constexpr const char *strict_types = "f32_f32_strict", *tf32_types = "f32_f32_tf32", *bf16_types = "bf16_f32_strict", *f16_types = "f16_f32_strict";

class CeilingList {
 public:
  void take(Problem problem) {
    if (std::find(all_.begin(), all_.end(), problem) == all_.end()) all_.push_back(std::move(problem));
  }
  /// Of 2^exponent floats, which is how much a sum of as many reads.
  void read(int exponent) { memory("memory_read", exponent); }
  void memory(int exponent) {
    for (const char* op : {"memory_read", "memory_write", "memory_copy"}) memory(op, exponent);
  }
  void fma(std::int64_t chains, std::int64_t steps) { take(fma_rate_problem(chains, steps)); }
  void square(std::int64_t size, const char* types) {
    const auto n = std::to_string(size);
    take({"matmul", format_shape({{"m", n}, {"n", n}, {"k", n}}), types, "nn"});
  }
  std::vector<Problem> all() { return std::move(all_); }

 private:
  void memory(const char* op, int exponent) { take(memory_traffic_problem(op, (std::int64_t{1} << exponent) * 4)); }

  std::vector<Problem> all_;
};

std::vector<Problem> on_cpu(ReductionSweep sweep) {
  CeilingList list;
  switch (sweep) {
    case ReductionSweep::smoke:
      list.read(20);
      list.fma(32768, 1024);
      list.square(512, strict_types);
      break;
    case ReductionSweep::quick:
      list.read(24);
      list.fma(32768, 4096);
      list.square(768, strict_types);
      break;
    case ReductionSweep::full:
      for (const int exponent : {24, 26, 28}) list.memory(exponent);
      list.square(1536, f16_types);
      list.square(2048, strict_types);
      [[fallthrough]];
    case ReductionSweep::standard:
      for (const int exponent : {24, 26}) list.memory(exponent);
      list.fma(131072, 4096);
      for (const char* types : {strict_types, bf16_types}) list.square(1536, types);
      break;
  }
  return list.all();
}

/// Strict f32 has a thirtieth of the tensor cores' rate on a GPU that has them, so it gets an eighth of the work; half the size
/// still gives every multiprocessor many tiles.
std::vector<Problem> on_gpu(ReductionSweep sweep) {
  CeilingList list;
  constexpr std::int64_t chains = 8388608;  // 16384 blocks
  switch (sweep) {
    case ReductionSweep::smoke:
      list.read(20);
      list.fma(chains, 512);
      for (const char* types : {bf16_types, strict_types}) list.square(1024, types);
      break;
    case ReductionSweep::quick:
      list.read(24);
      list.fma(chains, 1024);
      for (const char* types : {bf16_types, tf32_types}) list.square(4096, types);
      list.square(2048, strict_types);
      break;
    case ReductionSweep::full:
      for (const int exponent : {24, 26, 28}) list.memory(exponent);
      list.square(8192, f16_types);
      list.square(8192, strict_types);
      for (const char* types : {bf16_types, tf32_types, f16_types}) list.square(4096, types);
      [[fallthrough]];
    case ReductionSweep::standard:
      for (const int exponent : {24, 28}) list.memory(exponent);
      list.fma(chains, 4096);
      list.square(4096, strict_types);
      for (const char* types : {bf16_types, tf32_types}) list.square(8192, types);
      break;
  }
  return list.all();
}

bool can_be_a_rate(const Algorithm& algorithm) {
  if (algorithm.provider == "fixed_order") return algorithm.name == "direct";
  // cuBLASLt's proposals, up to 32 of them, are what cuBLAS chooses among: a minute of a GPU for a rate that is known already.
  for (const char* other : {"openmp", "cuda", "cublaslt"})
    if (algorithm.provider == other) return false;
  // The library's own choice, what it finds by timing, and its choice with memory enough.
  if (algorithm.provider == "cublas") {
    const auto workspace = algorithm.options.find("workspace");
    if (algorithm.name != "default" && algorithm.name != "autotune") return false;
    return algorithm.options.empty() || (algorithm.options.size() == 1 && workspace != algorithm.options.end() && workspace->second == "32MiB");
  }
  return true;
}

}  // namespace

std::vector<Problem> ceiling_problems(ReductionSweep sweep, const std::string& backend) { return backend == "cuda" ? on_gpu(sweep) : on_cpu(sweep); }

bool is_ceiling(const Problem& problem) {
  if (problem.op.starts_with("memory_") || problem.op == "fma_rate") return true;
  const auto product = parse_matmul(problem);
  return product && product->mb == product->n && product->n == product->k;
}

bool is_wanted(const Filter& filter, const Problem& problem, const Algorithm& algorithm) {
  if (!filter.accepts(problem, algorithm)) return false;
  return filter.problem() || filter.chooses_arms() || problem.op != "matmul" || !is_ceiling(problem) || can_be_a_rate(algorithm);
}

}  // namespace detbench
