// The host's atomic additions, one function per type: `omp atomic` where OpenMP has it, and for 16-bit floats the loop
// that the kernels write themselves. The build compiles this file to assembly and reads it (atomic_lowering.hpp).
#include <atomic>
#include <cstdint>

namespace {

/// Stands for the rounding of the two formats: which one it is changes nothing about the loop.
template <class Add>
[[gnu::always_inline]] inline void swap_until_added(std::uint16_t* target, Add add) {
  std::atomic_ref<std::uint16_t> bin(*target);
  std::uint16_t seen = bin.load(std::memory_order_relaxed);
  while (!bin.compare_exchange_weak(seen, add(seen), std::memory_order_relaxed)) {
  }
}

}  // namespace

extern "C" {

void detbench_atomic_add_f32(float* target, float value) {
#pragma omp atomic
  *target += value;
}
void detbench_atomic_add_f64(double* target, double value) {
#pragma omp atomic
  *target += value;
}
void detbench_atomic_add_f16(std::uint16_t* target, std::uint16_t (*add)(std::uint16_t)) { swap_until_added(target, add); }
// Without the attribute gcc would fold this into the one before, and there would be nothing to read.
[[gnu::no_icf]] void detbench_atomic_add_bf16(std::uint16_t* target, std::uint16_t (*add)(std::uint16_t)) { swap_until_added(target, add); }
void detbench_atomic_add_i32(std::int32_t* target, std::int32_t value) {
#pragma omp atomic
  *target += value;
}
void detbench_atomic_add_u32(std::uint32_t* target, std::uint32_t value) {
#pragma omp atomic
  *target += value;
}
void detbench_atomic_add_u64(std::uint64_t* target, std::uint64_t value) {
#pragma omp atomic
  *target += value;
}
}
