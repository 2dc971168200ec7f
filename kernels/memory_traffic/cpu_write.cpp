// Writing and copying on a CPU, by plain stores and by the C library.
#include <omp.h>

#include <cstring>

#include "kernels/memory_traffic/traffic_kernels.hpp"

namespace detbench::memory_traffic {
namespace {

/// Calls f(first, bytes) in every thread of the team.
template <class F>
void in_shares(std::int64_t bytes, const F& f) {
#pragma omp parallel
  {
    const auto share = share_of(bytes, omp_get_thread_num(), omp_get_num_threads());
    if (share.first < share.last) f(share.first, share.last - share.first);
  }
}

/// 16 bytes at any address, under any type: every 64-bit instruction set has a store of that width.
typedef std::uint64_t Pair __attribute__((vector_size(16), aligned(1), may_alias));
constexpr std::uint64_t written_word = 0x0101010101010101ull * written_byte;

}  // namespace

void fill_words(void* target, std::int64_t bytes) {
  in_shares(bytes, [=](std::int64_t first, std::int64_t n) {
    auto* to = static_cast<char*>(target) + first;
    const Pair value = {written_word, written_word};
    // An empty asm per store keeps the compiler from making this a call of memset, which is an algorithm of its own.
    for (std::int64_t at = 0; at < n; at += 16) {
      *reinterpret_cast<Pair*>(to + at) = value;
      asm volatile("" ::: "memory");
    }
  });
}

void copy_words(void* target, const void* source, std::int64_t bytes) {
  in_shares(bytes, [=](std::int64_t first, std::int64_t n) {
    auto* to = static_cast<char*>(target) + first;
    const auto* from = static_cast<const char*>(source) + first;
    for (std::int64_t at = 0; at < n; at += 16) {
      *reinterpret_cast<Pair*>(to + at) = *reinterpret_cast<const Pair*>(from + at);
      asm volatile("" ::: "memory");
    }
  });
}

void libc_memset(void* target, std::int64_t bytes) {
  in_shares(bytes, [=](std::int64_t first, std::int64_t n) {
    std::memset(static_cast<char*>(target) + first, written_byte, static_cast<std::size_t>(n));
  });
}

void libc_memcpy(void* target, const void* source, std::int64_t bytes) {
  in_shares(bytes, [=](std::int64_t first, std::int64_t n) {
    std::memcpy(static_cast<char*>(target) + first, static_cast<const char*>(source) + first, static_cast<std::size_t>(n));
  });
}

}  // namespace detbench::memory_traffic
