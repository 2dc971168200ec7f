// The sum over one chunk, per instruction set. Integer sums: every set gives the same bits, so the choice at run time
// is one of speed alone.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/tensor/digest_host.hpp"
#include "kernels/tensor/instruction_cap.hpp"

#if defined(__x86_64__)
// g++ 12 calls the deliberately undefined operands inside its own AVX-512 header uninitialised (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

namespace detbench {
namespace {

/// Keys by lane, parity of the position, and half position: the vector multiplication takes every other 32-bit word.
struct KeyTable {
  alignas(64) std::uint64_t key[2][2][digest_chunk_words / 2];
};
constexpr KeyTable make_keys() {
  KeyTable table{};
  for (int lane = 0; lane < 2; ++lane)
    for (int i = 0; i < digest_chunk_words; ++i) table.key[lane][i % 2][i / 2] = digest_key(lane, i);
  return table;
}
constexpr KeyTable keys = make_keys();

DigestLanes plain_chunk(const unsigned char* chunk) {
  DigestLanes even, odd;
  for (int i = 0; i < digest_chunk_words; i += 2) {
    std::uint32_t word[2];
    std::memcpy(word, chunk + 4 * i, sizeof word);
    digest_add_word(even, word[0], keys.key[0][0][i / 2], keys.key[1][0][i / 2]);
    digest_add_word(odd, word[1], keys.key[0][1][i / 2], keys.key[1][1][i / 2]);
  }
  return {{even.lane[0] + odd.lane[0], even.lane[1] + odd.lane[1]}};
}

#if defined(__x86_64__)
// key * word mod 2^64 = (low half of key) * word + 2^32 * ((high half of key) * word): the two parts are summed apart,
// because one shift of the sums replaces a shift per word.
struct Sums256 {
  __m256i low, high;
};
[[gnu::target("avx2"), gnu::always_inline]] inline void add_words(Sums256& sums, __m256i words,
                                                                  const std::uint64_t* key) {
  const __m256i k = _mm256_load_si256(reinterpret_cast<const __m256i*>(key));
  sums.low = _mm256_add_epi64(sums.low, _mm256_mul_epu32(k, words));
  sums.high = _mm256_add_epi64(sums.high, _mm256_mul_epu32(_mm256_srli_epi64(k, 32), words));
}
[[gnu::target("avx2")]] std::uint64_t total(const Sums256& a, const Sums256& b) {
  alignas(32) std::uint64_t part[4];
  const __m256i high = _mm256_add_epi64(a.high, b.high);
  _mm256_store_si256(reinterpret_cast<__m256i*>(part),
                     _mm256_add_epi64(_mm256_add_epi64(a.low, b.low), _mm256_slli_epi64(high, 32)));
  return part[0] + part[1] + part[2] + part[3];
}

[[gnu::target("avx2")]] DigestLanes avx2_chunk(const unsigned char* chunk) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i rotate = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,  //
                                          2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  Sums256 even0{zero, zero}, odd0{zero, zero}, even1{zero, zero}, odd1{zero, zero};
  for (int i = 0; i < digest_chunk_words / 2; i += 4) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(chunk + 8 * i));
    const __m256i rotated = _mm256_shuffle_epi8(words, rotate);
    add_words(even0, words, keys.key[0][0] + i);
    add_words(odd0, _mm256_srli_epi64(words, 32), keys.key[0][1] + i);
    add_words(even1, rotated, keys.key[1][0] + i);
    add_words(odd1, _mm256_srli_epi64(rotated, 32), keys.key[1][1] + i);
  }
  return {{total(even0, odd0), total(even1, odd1)}};
}

struct Sums512 {
  __m512i low, high;
};
[[gnu::target("avx512f"), gnu::always_inline]] inline void add_words(Sums512& sums, __m512i words,
                                                                     const std::uint64_t* key) {
  const __m512i k = _mm512_load_si512(key);
  sums.low = _mm512_add_epi64(sums.low, _mm512_mul_epu32(k, words));
  sums.high = _mm512_add_epi64(sums.high, _mm512_mul_epu32(_mm512_srli_epi64(k, 32), words));
}
[[gnu::target("avx512f")]] std::uint64_t total(const Sums512& a, const Sums512& b) {
  alignas(64) std::uint64_t part[8];
  const __m512i high = _mm512_add_epi64(a.high, b.high);
  _mm512_store_si512(part, _mm512_add_epi64(_mm512_add_epi64(a.low, b.low), _mm512_slli_epi64(high, 32)));
  return part[0] + part[1] + part[2] + part[3] + part[4] + part[5] + part[6] + part[7];
}

[[gnu::target("avx512f")]] DigestLanes avx512_chunk(const unsigned char* chunk) {
  const __m512i zero = _mm512_setzero_si512();
  Sums512 even0{zero, zero}, odd0{zero, zero}, even1{zero, zero}, odd1{zero, zero};
  for (int i = 0; i < digest_chunk_words / 2; i += 8) {
    const __m512i words = _mm512_loadu_si512(chunk + 8 * i);
    const __m512i rotated = _mm512_rol_epi32(words, 16);
    add_words(even0, words, keys.key[0][0] + i);
    add_words(odd0, _mm512_srli_epi64(words, 32), keys.key[0][1] + i);
    add_words(even1, rotated, keys.key[1][0] + i);
    add_words(odd1, _mm512_srli_epi64(rotated, 32), keys.key[1][1] + i);
  }
  return {{total(even0, odd0), total(even1, odd1)}};
}
#endif

}  // namespace

int digest_instruction_level() {
#if defined(__x86_64__)
  static const int level = std::min(instruction_level_cap(), __builtin_cpu_supports("avx512f") ? 2 : __builtin_cpu_supports("avx2") ? 1 : 0);
  return level;
#else
  return 0;
#endif
}

DigestLanes digest_chunk(const void* chunk, int level) {
  const auto* from = static_cast<const unsigned char*>(chunk);
#if defined(__x86_64__)
  if (level == 2) return avx512_chunk(from);
  if (level == 1) return avx2_chunk(from);
#endif
  return plain_chunk(from);
}

}  // namespace detbench
