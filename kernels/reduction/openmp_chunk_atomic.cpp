// Order: partials are fixed by the pieces; they meet as they are finished.
#include "kernels/reduction/openmp_sums.hpp"

namespace detbench::reduction {
namespace {

/// A thread's pieces lie side by side, so two threads are always in different places of the vector.
struct ChunkAtomicStatic {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    auto& sum = *call.sum;
    sum = 0;
#pragma omp parallel for schedule(static) num_threads(call.threads)
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
      const auto partial = piece_sum(call, piece);
#pragma omp atomic
      sum += partial;
    }
    return {};
  }
};

/// Which thread takes which piece is decided at run time: pieces start nearly in order, so this differs less often than the
/// static schedule.
struct ChunkAtomicDynamic {
  template <class Source>
  static Status run(const SumCall<Source>& call) {
    auto& sum = *call.sum;
    sum = 0;
#pragma omp parallel for schedule(dynamic) num_threads(call.threads)
    for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
      const auto partial = piece_sum(call, piece);
#pragma omp atomic
      sum += partial;
    }
    return {};
  }
};

template <class Kernel>
SumAlgorithm named(const char* name) {
  SumAlgorithm algorithm = sum_algorithm<Kernel>(name);
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace

SumAlgorithm openmp_chunk_atomic_static() { return named<ChunkAtomicStatic>("chunk_atomic_static"); }
SumAlgorithm openmp_chunk_atomic_dynamic() { return named<ChunkAtomicDynamic>("chunk_atomic_dynamic"); }

}  // namespace detbench::reduction
