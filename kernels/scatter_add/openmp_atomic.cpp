// One atomic addition per value, as an OpenMP programmer writes it. Order: the updates of a bin meet as threads get
// through. Bins that one thread alone happens to update keep their order, so differences need bins that are contended.
#include <omp.h>

#include <atomic>

#include "kernels/scatter_add/strategies.hpp"
#include "kernels/scatter_add/updates.hpp"
#include "kernels/tensor/stored_types.hpp"

namespace detbench::scatter_add {
namespace {

template <class T>
struct NativeBin {
  using Stored = T;
  static void add(T& bin, T value) {
#pragma omp atomic
    bin += value;
  }
};

/// No processor adds 16-bit floats atomically: a compare-and-swap loop whose every addition is rounded to 16 bits.
template <class Format>
struct NarrowBin {
  using Stored = std::uint16_t;
  static void add(std::uint16_t& target, float value) {
    std::atomic_ref<std::uint16_t> bin(target);
    std::uint16_t seen = bin.load(std::memory_order_relaxed);
    while (!bin.compare_exchange_weak(seen, Format::narrow(Format::widen(seen) + value), std::memory_order_relaxed)) {
    }
  }
};

template <class T, class Bin>
Status add_each(const ScatterCall& call) {
  auto* out = static_cast<typename Bin::Stored*>(call.out);
#pragma omp parallel num_threads(call.threads)
  {
    const Share bins = share_of(call.outputs(), omp_get_thread_num(), omp_get_num_threads());
    std::fill(out + bins.first, out + bins.last, typename Bin::Stored{});
#pragma omp barrier
    const Share updates = share_of(call.n, omp_get_thread_num(), omp_get_num_threads());
    for_values<T>(call, updates.first, updates.last, out, [out](std::int64_t output, T value) { Bin::add(out[output], value); });
  }
  return {};
}

Status atomic(const ScatterCall& call) {
  switch (call.bin) {
    case DataType::f64: return add_each<double, NativeBin<double>>(call);
    case DataType::f16: return add_each<float, NarrowBin<F16>>(call);
    case DataType::bf16: return add_each<float, NarrowBin<Bf16>>(call);
    default: return add_each<float, NativeBin<float>>(call);
  }
}

}  // namespace

ScatterAlgorithm openmp_atomic() {
  ScatterAlgorithm algorithm{"atomic", {}, atomic};
  algorithm.missing = [](const ScatterProblem& problem) -> std::string {
    if (problem.values() <= std::int64_t{1} << 22) return {};
    return "one atomic per value is offered up to 4194304 values: contended, one takes some hundred nanoseconds, so more would take longer than all else together";
  };
  return algorithm;
}

}  // namespace detbench::scatter_add
