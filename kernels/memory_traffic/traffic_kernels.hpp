// The kernels behind the operations, by device. CPU ones use the OpenMP threads in force.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/simple_operation.hpp"

namespace detbench::memory_traffic {

/// What memory_write leaves in every byte: no poison of METHOD section 2.
inline constexpr unsigned char written_byte = 0x5A;

/// Threads take contiguous shares whose borders are multiples of this: no cache line, and no page, is shared.
inline constexpr std::int64_t share_bytes = 4096;

/// [first, last) of `thread` among `team`, in bytes.
struct Share {
  std::int64_t first, last;
};
constexpr Share share_of(std::int64_t bytes, std::int64_t thread, std::int64_t team) {
  const std::int64_t pages = (bytes + share_bytes - 1) / share_bytes;
  const std::int64_t first = pages * thread / team * share_bytes, last = pages * (thread + 1) / team * share_bytes;
  return {first < bytes ? first : bytes, last < bytes ? last : bytes};
}

enum class ReadOrder {
  one_stream,   ///< a thread reads its share from front to back
  four_streams  ///< four quarters of it side by side: hardware prefetchers follow several pages at once
};
/// The sum of all 64-bit words (little-endian) mod 2^64; `bytes` a multiple of 16.
std::uint64_t word_sum(const void* source, std::int64_t bytes, ReadOrder order);

void fill_words(void* target, std::int64_t bytes);
void copy_words(void* target, const void* source, std::int64_t bytes);
void libc_memset(void* target, std::int64_t bytes);
void libc_memcpy(void* target, const void* source, std::int64_t bytes);

/// Stores that go past the caches, so that a line is not read before it is overwritten. Unsupported where the
/// instruction set of this build has none.
Status has_streaming_stores();
void fill_words_streaming(void* target, std::int64_t bytes);
void copy_words_streaming(void* target, const void* source, std::int64_t bytes);

// On CUDA: enqueue, or the reason why not.
Status cuda_present();
Status cuda_word_sum(const void* source, std::int64_t bytes, void* sum, void* native_stream);
Status cuda_fill_words(void* target, std::int64_t bytes, void* native_stream);
Status cuda_copy_words(void* target, const void* source, std::int64_t bytes, void* native_stream);
Status cuda_runtime_memset(void* target, std::int64_t bytes, void* native_stream);
Status cuda_runtime_memcpy(void* target, const void* source, std::int64_t bytes, void* native_stream);

}  // namespace detbench::memory_traffic
