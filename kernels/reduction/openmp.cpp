// Sums in the ways an OpenMP programmer writes them. None fixes the order in which partial sums meet.
#include <omp.h>

#include <algorithm>

#include "kernels/reduction/lane_sums.hpp"
#include "kernels/reduction/sum_problem.hpp"

namespace detbench::reduction {
namespace {

/// One piece of the vector, in the one order that all pieces of all algorithms here have.
template <class T>
T piece_sum(const SumCall<T>& call, std::int64_t piece) {
  const std::int64_t first = piece * piece_elements;
  return lane_sum(call.x + first, std::min(piece_elements, call.n - first), call.isa);
}

/// Order: whichever thread gets through next, element by element.
template <class T>
Status atomic_per_element(const SumCall<T>& call) {
  T& sum = *call.sum;
  sum = 0;
#pragma omp parallel for schedule(static) num_threads(call.threads)
  for (std::int64_t i = 0; i < call.n; ++i) {
#pragma omp atomic
    sum += call.x[i];
  }
  return {};
}

/// Order: one partial per thread over a contiguous share, so the number of threads decides the partials; they meet as
/// threads finish. With two threads that cannot show: 0 + a + b = 0 + b + a.
template <class T>
Status thread_partials_atomic(const SumCall<T>& call) {
  T& sum = *call.sum;
  sum = 0;
#pragma omp parallel num_threads(call.threads)
  {
    const std::int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const std::int64_t first = call.n * thread / team, last = call.n * (thread + 1) / team;
    if (first < last) {
      const T partial = lane_sum(call.x + first, last - first, call.isa);
#pragma omp atomic
      sum += partial;
    }
  }
  return {};
}

/// Order: partials are fixed by the pieces; they meet as they are finished.
template <class T>
Status chunk_atomic_static(const SumCall<T>& call) {
  T& sum = *call.sum;
  sum = 0;
#pragma omp parallel for schedule(static) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
    const T partial = piece_sum(call, piece);
#pragma omp atomic
    sum += partial;
  }
  return {};
}

/// The same, and which thread takes which piece is decided at run time: pieces start nearly in order, so this differs
/// less often than the static schedule (facts: 2 against 7 distinct results of 100 on two threads).
template <class T>
Status chunk_atomic_dynamic(const SumCall<T>& call) {
  T& sum = *call.sum;
  sum = 0;
#pragma omp parallel for schedule(dynamic) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) {
    const T partial = piece_sum(call, piece);
#pragma omp atomic
    sum += partial;
  }
  return {};
}

// OpenMP's own reduction: each thread's private sum starts at 0, grows piece by piece, and the private sums are joined
// in an order that the specification leaves open (OpenMP 5.2, section 5.5.5). libgomp joins them as threads arrive.
// Static: the pieces of a thread are fixed. Dynamic and guided: they are whatever it was quick enough to get.
template <class T>
Status reduction_static(const SumCall<T>& call) {
  T sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) sum += piece_sum(call, piece);
  *call.sum = sum;
  return {};
}

template <class T>
Status reduction_dynamic(const SumCall<T>& call) {
  T sum = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : sum) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) sum += piece_sum(call, piece);
  *call.sum = sum;
  return {};
}

template <class T>
Status reduction_guided(const SumCall<T>& call) {
  T sum = 0;
#pragma omp parallel for schedule(guided) reduction(+ : sum) num_threads(call.threads)
  for (std::int64_t piece = 0; piece < piece_count(call.n); ++piece) sum += piece_sum(call, piece);
  *call.sum = sum;
  return {};
}

SumAlgorithm unordered(std::string name, Status (*f32)(const SumCall<float>&), Status (*f64)(const SumCall<double>&)) {
  SumAlgorithm algorithm;
  algorithm.name = std::move(name);
  algorithm.run_f32 = f32;
  algorithm.run_f64 = f64;
  algorithm.has_isa = true;
  return algorithm;
}

}  // namespace

std::unique_ptr<Provider> make_openmp_sums() {
  SumAlgorithm per_element = unordered("atomic_per_element", atomic_per_element<float>, atomic_per_element<double>);
  per_element.has_isa = false;
  per_element.largest_n = std::int64_t{1} << 22;
  per_element.too_large =
      "at about 30 million contended atomic additions a second a larger sum takes over a tenth of a second";
  std::vector<TableRow> rows;
  rows.push_back(sum_row(unordered("reduction_static", reduction_static<float>, reduction_static<double>)));
  rows.push_back(sum_row(unordered("reduction_dynamic", reduction_dynamic<float>, reduction_dynamic<double>)));
  rows.push_back(sum_row(unordered("reduction_guided", reduction_guided<float>, reduction_guided<double>)));
  rows.push_back(
      sum_row(unordered("thread_partials_atomic", thread_partials_atomic<float>, thread_partials_atomic<double>)));
  rows.push_back(sum_row(unordered("chunk_atomic_static", chunk_atomic_static<float>, chunk_atomic_static<double>)));
  rows.push_back(sum_row(unordered("chunk_atomic_dynamic", chunk_atomic_dynamic<float>, chunk_atomic_dynamic<double>)));
  rows.push_back(sum_row(std::move(per_element)));
  return make_table_provider("openmp", DeviceKind::cpu, std::move(rows));
}

}  // namespace detbench::reduction
