// Non-temporal stores. A plain store reads its cache line first, so a fill moves every byte twice and a copy three times
// over the memory bus; these write whole lines through the write-combining buffers. The stores are SSE2's, which every
// x86-64 has: the buffers collect a line of 64 bytes before it leaves, however wide the stores that filled it.
#include <omp.h>

#include "kernels/memory_traffic/traffic_kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

namespace detbench::memory_traffic {
namespace {

/// Calls f(address of the share's first byte, its bytes) in every thread; stores are ordered before the team joins,
/// because non-temporal ones are weakly ordered.
template <class F>
void streamed(std::int64_t bytes, const F& f) {
#pragma omp parallel
  {
    const auto share = share_of(bytes, omp_get_thread_num(), omp_get_num_threads());
    f(share.first, share.last);
    _mm_sfence();
  }
}

}  // namespace

Status has_streaming_stores() { return {}; }

void fill_words_streaming(void* target, std::int64_t bytes) {
  streamed(bytes, [=](std::int64_t first, std::int64_t last) {
    const __m128i value = _mm_set1_epi8(static_cast<char>(written_byte));
    for (std::int64_t at = first; at < last; at += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(static_cast<char*>(target) + at), value);
  });
}

void copy_words_streaming(void* target, const void* source, std::int64_t bytes) {
  streamed(bytes, [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t at = first; at < last; at += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(static_cast<char*>(target) + at),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const char*>(source) + at)));
  });
}

}  // namespace detbench::memory_traffic

#else

namespace detbench::memory_traffic {

Status has_streaming_stores() {
  return unsupported("non-temporal stores are written for x86-64; this is another architecture");
}
// Never called: no plan is made without has_streaming_stores().
void fill_words_streaming(void* target, std::int64_t bytes) { fill_words(target, bytes); }
void copy_words_streaming(void* target, const void* source, std::int64_t bytes) { copy_words(target, source, bytes); }

}  // namespace detbench::memory_traffic

#endif
