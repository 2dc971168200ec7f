#include "bench/core/control_sums.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "bench/core/affinity.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

constexpr std::int64_t segment = control_segment;

/// A plain left-to-right sum: without -ffast-math a compiler may not reassociate it.
float sum_in_order(const float* values, std::int64_t count) {
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

/// Eight threads, or more where more are configured, each with every eighth part. They wait for each other, so that none
/// is through before the next one has started, and sleep before every part, each for another time: who comes before whom
/// is then up to timers and scheduler again and again. With equal sleeps the threads of a machine with few cores, or too
/// much to do, queue up in the same order every time. Threads of its own instead of OpenMP's, whose barriers spin for
/// milliseconds when there are more of them than cores.
template <class Part>
void race(int configured_threads, std::int64_t parts, std::int64_t targets, const Part& part) {
  const int count = std::max(8, configured_threads);
  std::atomic<int> missing{count};
  std::atomic<bool> abandoned{false};
  std::vector<std::jthread> threads;  // joined by their destructors, also when a later one cannot start
  threads.reserve(static_cast<std::size_t>(count));
  try {
    for (int thread = 0; thread < count; ++thread)
      threads.emplace_back([=, &missing, &abandoned, &part] {
        release_from_binding();
        for (--missing; missing > 0 && !abandoned;) sched_yield();
        for (std::int64_t p = thread; p < parts; p += count) {
          std::this_thread::sleep_for(std::chrono::microseconds(10 + 7 * thread));
          for (std::int64_t t = 0; t < targets; ++t) part(p, t);
        }
      });
  } catch (...) {
    abandoned = true;
    throw;
  }
}

constexpr std::int64_t part_elements = 8, parts = segment / part_elements;

}  // namespace

int split_of_batch(std::int64_t targets) {
  constexpr std::int64_t workers = 256;
  return static_cast<int>(std::clamp<std::int64_t>(workers / std::max<std::int64_t>(1, targets), 1, segment));
}

std::uint64_t address_hash() {
  // Once per process: the next call may come from another depth of the stack.
  static const std::uint64_t hash = [] {
    static const int anchor = 0;  // the program's own image
    const int local = 0;          // the stack
    const auto heap = std::make_unique<int>(0);
    const auto address = [](const void* p) { return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(p)) >> 12; };
    return mix64(address(&anchor)) ^ mix64(address(&local) + 1) ^ mix64(address(heap.get()) + 2);
  }();
  return hash;
}

/// Hazard: floats added atomically, so that the order of additions is the order in which threads come by. 128 partials
/// meet in every target; two could never differ, because addition commutes.
void contended_atomics(const ControlView& v) {
  std::fill_n(v.out, v.targets, 0.0f);
  race(v.threads, parts, v.targets, [&v](std::int64_t p, std::int64_t t) {
    const float partial = sum_in_order(v.in + t * segment + p * part_elements, part_elements);
    std::atomic_ref<float>(v.out[t]).fetch_add(partial, std::memory_order_relaxed);
  });
}

/// Hazard: an order drawn from the process's address layout, like iterating over a hash table of pointers.
void address_order(const ControlView& v) {
  const std::uint64_t hash = address_hash();
  for (std::int64_t t = 0; t < v.targets; ++t) {
    // An odd step visits every element of a power of two once; start and step are the drawn order.
    const auto word = mix64(hash + static_cast<std::uint64_t>(t));
    const std::uint64_t step = (word >> 32) | 1;
    std::uint64_t at = word % segment;
    float sum = 0;
    for (std::int64_t i = 0; i < segment; ++i, at = (at + step) % segment) sum += v.in[t * segment + static_cast<std::int64_t>(at)];
    v.out[t] = sum;
  }
}

/// Hazard: elements up to the next 64-byte boundary are added apart, as vector code does that wants aligned loads, so the
/// boundaries of the 16 partial sums follow the input's address.
void address_peel(const ControlView& v) {
  for (std::int64_t t = 0; t < v.targets; ++t) {
    const float* values = v.in + t * segment;
    const auto misaligned = reinterpret_cast<std::uintptr_t>(values) % 64;
    const std::int64_t peel = misaligned == 0 ? 0 : static_cast<std::int64_t>((64 - misaligned) / sizeof(float));
    float lanes[16] = {};
    std::int64_t i = peel;
    for (; i + 16 <= segment; i += 16)
      for (int lane = 0; lane < 16; ++lane) lanes[lane] += values[i + lane];
    float sum = sum_in_order(values, peel);
    for (const float lane : lanes) sum += lane;
    v.out[t] = sum + sum_in_order(values + i, segment - i);
  }
}

/// Hazard: one partial per thread. Combined in the order of the threads, so it repeats, but only at one thread count.
void partial_per_thread(const ControlView& v) {
  auto* partials = static_cast<float*>(v.workspace);
  const std::int64_t threads = v.threads;
#pragma omp parallel for num_threads(v.threads) schedule(static)
  for (std::int64_t part = 0; part < threads; ++part) {
    const std::int64_t first = segment * part / threads, last = segment * (part + 1) / threads;
    for (std::int64_t t = 0; t < v.targets; ++t) partials[part * v.targets + t] = sum_in_order(v.in + t * segment + first, last - first);
  }
  for (std::int64_t t = 0; t < v.targets; ++t) {
    float sum = 0;
    for (std::int64_t part = 0; part < threads; ++part) sum += partials[part * v.targets + t];
    v.out[t] = sum;
  }
}

/// Hazard: a split chosen by the number of targets, which is the batch here. It repeats, but only in that batch.
void split_by_batch(const ControlView& v) {
  const std::int64_t split = split_of_batch(v.targets);
  for (std::int64_t t = 0; t < v.targets; ++t) {
    float sum = 0;
    for (std::int64_t part = 0; part < split; ++part) {
      const std::int64_t first = segment * part / split, last = segment * (part + 1) / split;
      sum += sum_in_order(v.in + t * segment + first, last - first);
    }
    v.out[t] = sum;
  }
}

/// No hazard: fixed point in 64-bit integers, whose addition has no order. It is shaped like contended_atomics, so when
/// this one differs the instrument is broken.
void integer_accumulation(const ControlView& v) {
  auto* sums = static_cast<std::int64_t*>(v.workspace);
  std::fill_n(sums, v.targets, 0);
  race(v.threads, parts, v.targets, [&v, sums](std::int64_t p, std::int64_t t) {
    std::int64_t partial = 0;
    // 2^32 holds every bit of a 24-bit uniform in [-1, 1), and 1024 such values fit into 64 bits.
    for (std::int64_t i = 0; i < part_elements; ++i)
      partial += std::llrint(static_cast<double>(v.in[t * segment + p * part_elements + i]) * 0x1p32);
    std::atomic_ref<std::int64_t>(sums[t]).fetch_add(partial, std::memory_order_relaxed);
  });
  for (std::int64_t t = 0; t < v.targets; ++t) v.out[t] = static_cast<float>(static_cast<double>(sums[t]) * 0x1p-32);
}

}  // namespace detbench
