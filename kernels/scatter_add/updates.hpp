// How the CPU algorithms walk over updates: in blocks of 256 whose bins are found first, vectorized, and whose values are
// widened to the accumulator's type where they are stored in another. So one loop body serves every layout, every kind of
// index, every stored type and every row width, and only the accumulator's type is a template argument.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/scatter_add/scatter_call.hpp"

namespace detbench::scatter_add {

inline constexpr int block_updates = 256;

/// `count` values from number `first` on in the accumulator's type: where they lie, or widened into `buffer`.
const float* read_values(const ScatterCall& call, std::int64_t first, std::int64_t count, float* buffer);
const double* read_values(const ScatterCall& call, std::int64_t first, std::int64_t count, double* buffer);

/// add(output number, value) for every value of one update, in the accumulator's type; `buffer` holds block_updates.
template <class T, class Add>
void for_values_of_update(const ScatterCall& call, std::int64_t update, std::int64_t bin, T* buffer, Add&& add) {
  for (std::int64_t column = 0; column < call.width; column += block_updates) {
    const std::int64_t columns = std::min<std::int64_t>(block_updates, call.width - column);
    const T* values = read_values(call, update * call.width + column, columns, buffer);
    const std::int64_t output = bin * call.width + column;
    for (std::int64_t j = 0; j < columns; ++j) add(output + j, values[j]);
  }
}

/// add(output number, value) for every value of updates first .. last - 1, in order. `targets`, where the additions go,
/// is asked for a block ahead when it is too large for the nearest cache: loads behind an atomic, or behind a store to an
/// address that is not known yet, would otherwise wait for memory one after the other.
template <class T, class Target, class Add>
void for_values(const ScatterCall& call, std::int64_t first, std::int64_t last, const Target* targets, Add&& add) {
  const bool fetches = static_cast<std::size_t>(call.outputs()) * sizeof(Target) > (std::size_t{1} << 17);
  std::int32_t bins[block_updates];
  T buffer[block_updates];
  for (std::int64_t begin = first; begin < last; begin += block_updates) {
    const int count = static_cast<int>(std::min<std::int64_t>(block_updates, last - begin));
    find_targets(call.targets, begin, count, bins);
    if (fetches)
      for (int k = 0; k < count; ++k) __builtin_prefetch(targets + bins[k] * call.width, 1);
    if (call.width == 1) {
      const T* values = read_values(call, begin, count, buffer);
      for (int k = 0; k < count; ++k) add(std::int64_t{bins[k]}, values[k]);
    } else {
      for (int k = 0; k < count; ++k) for_values_of_update<T>(call, begin + k, bins[k], buffer, add);
    }
  }
}

/// The share of `total` that a thread of a team owns: contiguous, in the order of threads.
struct Share {
  std::int64_t first, last;
};
constexpr Share share_of(std::int64_t total, std::int64_t thread, std::int64_t team) {
  return {total * thread / team, total * (thread + 1) / team};
}

/// Rounds finished sums first .. last - 1 into the bins' type, NaN made canonical; `sums` may be the output itself.
void store_sums(const ScatterCall& call, const float* sums, std::int64_t first, std::int64_t last);
void store_sums(const ScatterCall& call, const double* sums, std::int64_t first, std::int64_t last);
/// One of them.
void store_sum(const ScatterCall& call, float sum, std::int64_t output);
void store_sum(const ScatterCall& call, double sum, std::int64_t output);

/// Where an algorithm adds up in the accumulator's type: the output itself, or the workspace where bins have 16 bits.
template <class T>
T* accumulators(const ScatterCall& call) {
  return static_cast<T*>(size_of(call.bin) == sizeof(T) ? call.out : call.workspace);
}
inline std::size_t accumulators_bytes(const ScatterProblem& problem) {
  return size_of(problem.bin) == 2 ? static_cast<std::size_t>(problem.outputs()) * sizeof(float) : 0;
}

/// Calls f(float{}) or f(double{}) for the accumulator's type.
template <class F>
Status with_accumulator(const ScatterCall& call, F&& f) {
  return call.bin == DataType::f64 ? f(double{}) : f(float{});
}

}  // namespace detbench::scatter_add
