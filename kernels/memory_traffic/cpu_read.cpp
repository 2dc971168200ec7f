// Reading on a CPU: integer sums cannot be dropped, are exact whatever the order, and cost one instruction per vector.
#include <omp.h>

#include "kernels/memory_traffic/traffic_kernels.hpp"
#include "kernels/reduction/isa.hpp"
#include "kernels/reduction/simd.hpp"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace detbench::memory_traffic {
namespace {

using reduction::Isa;
using reduction::Simd;

/// `Streams` pieces of equal length, side by side, two vectors each at a time; what is left over goes word by word.
template <int Bytes, int Streams>
DETBENCH_INLINE std::uint64_t sum_body(const char* source, std::int64_t bytes) {
  using V = Simd<std::uint64_t, Bytes>;
  constexpr int together = Streams == 1 ? 8 : 2;
  constexpr std::int64_t step = std::int64_t{together} * Bytes;
  const std::int64_t piece = bytes / (Streams * step) * step;
  typename V::Vector sums[Streams][together] = {};
  for (std::int64_t at = 0; at < piece; at += step)
#pragma GCC unroll 4
    for (int s = 0; s < Streams; ++s)
#pragma GCC unroll 8
      for (int v = 0; v < together; ++v) {
        typename V::Vector value;
        V::load(value, source + s * piece + at + v * Bytes);
        sums[s][v] += value;
      }
  std::uint64_t total = 0;
  for (int s = 0; s < Streams; ++s)
    for (int v = 0; v < together; ++v)
      for (int i = 0; i < V::width; ++i) total += sums[s][v][i];
  for (std::int64_t at = Streams * piece; at < bytes; at += 8) {
    std::uint64_t word;
    __builtin_memcpy(&word, source + at, sizeof word);
    total += word;
  }
  return total;
}

using Sum = std::uint64_t (*)(const char*, std::int64_t);

std::uint64_t one_baseline(const char* s, std::int64_t n) { return sum_body<16, 1>(s, n); }
std::uint64_t four_baseline(const char* s, std::int64_t n) { return sum_body<16, 4>(s, n); }
DETBENCH_TARGET_AVX2 std::uint64_t one_avx2(const char* s, std::int64_t n) { return sum_body<32, 1>(s, n); }
DETBENCH_TARGET_AVX2 std::uint64_t four_avx2(const char* s, std::int64_t n) { return sum_body<32, 4>(s, n); }
DETBENCH_TARGET_AVX512 std::uint64_t one_avx512(const char* s, std::int64_t n) { return sum_body<64, 1>(s, n); }
DETBENCH_TARGET_AVX512 std::uint64_t four_avx512(const char* s, std::int64_t n) { return sum_body<64, 4>(s, n); }

Sum chosen(ReadOrder order) {
  const bool four = order == ReadOrder::four_streams;
  switch (reduction::best_isa()) {
    case Isa::avx512: return four ? four_avx512 : one_avx512;
    case Isa::avx2: return four ? four_avx2 : one_avx2;
    default: return four ? four_baseline : one_baseline;
  }
}

}  // namespace

std::uint64_t word_sum(const void* source, std::int64_t bytes, ReadOrder order) {
  const auto sum = chosen(order);
  std::uint64_t total = 0;
#pragma omp parallel reduction(+ : total)
  {
    const auto share = share_of(bytes, omp_get_thread_num(), omp_get_num_threads());
    total += sum(static_cast<const char*>(source) + share.first, share.last - share.first);
  }
  return total;
}

}  // namespace detbench::memory_traffic
