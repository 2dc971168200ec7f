// The arithmetic of the digest, version 1 (METHOD section 8), shared by host and device.
//
// A tensor's elements in canonical order, little-endian, without padding, are one string of bytes, cut into chunks of
// 4 KiB = 1024 words of 32 bits (the last chunk is filled up with zero bytes; the byte length enters at the end). There
// are two lanes of 64 bits. With word w_i at position i of chunk c, lane L computes, modulo 2^64,
//
//   s_L(c) = sum over i of k_L[i] * p_L(w_i)        k_L[i]: fixed odd 64-bit constants; p_0(w) = w, p_1(w) = w rotated
//   by 16 t_L    = sum over c of mix64(s_L(c) ^ g_L(c))    mix64: a bijection; g_L(c): mixed chunk number
//
// and finally t_L is mixed with type, shape and byte length.
//
// Any single changed word changes both lanes. Proof: let w_i become w' != w_i. p_L is a bijection of 32-bit words, so
// d = p_L(w') - p_L(w_i), as an integer, is not 0 and |d| < 2^32. The sum changes by k_L[i] * d mod 2^64. k_L[i] is
// odd, hence invertible modulo 2^64, so the product is 0 mod 2^64 only if d is 0 mod 2^64, which |d| < 2^32 rules out.
// So s_L(c) changes; xor with g_L(c) and mix64 are bijections, so the chunk's term changes; the other terms do not; so
// t_L changes, and the last step is a bijection of t_L for given type and shape. The same holds for any change that
// leaves all but one chunk's s_L alone.
//
// Why two lanes see the word in two rotations: every key is odd, so the low bits of s_0 depend on the low bits of the
// words alone, which are zero in f32 tensors of small integers; rotated, the same bits are the high ones.
// Why sums: additions modulo 2^64 commute, so neither the order of chunks nor of words matters, and threads, blocks and
// atomics in any order give the same digest.
#pragma once

#include <cstdint>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {

inline constexpr std::int64_t digest_chunk_bytes = 4096;
inline constexpr int digest_chunk_words = 1024;

struct DigestLanes {
  std::uint64_t lane[2] = {0, 0};
};

DETBENCH_HOST_DEVICE constexpr std::uint64_t digest_lane_constant(int lane) {
  return lane ? 0x243F6A8885A308D3u : 0x9E3779B97F4A7C15u;  // fractions of pi and of the golden ratio
}

/// The key of a position within a chunk; odd.
DETBENCH_HOST_DEVICE constexpr std::uint64_t digest_key(int lane, int position) {
  return mix64(digest_lane_constant(lane) * static_cast<std::uint64_t>(position + 1)) | 1u;
}

DETBENCH_HOST_DEVICE constexpr std::uint32_t digest_rotate(std::uint32_t word) { return word << 16 | word >> 16; }

/// Adds one word at a position whose keys are given.
DETBENCH_HOST_DEVICE constexpr void digest_add_word(DigestLanes& sum, std::uint32_t word, std::uint64_t key0,
                                                    std::uint64_t key1) {
  sum.lane[0] += key0 * word;
  sum.lane[1] += key1 * digest_rotate(word);
}

/// The term of chunk number `chunk` in the sum over chunks.
DETBENCH_HOST_DEVICE constexpr std::uint64_t digest_chunk_term(int lane, std::uint64_t sum, std::uint64_t chunk) {
  return mix64(sum ^ mix64(digest_lane_constant(lane) ^ (chunk + 1)));
}

constexpr std::int64_t digest_chunk_count(std::int64_t bytes) {
  return (bytes + digest_chunk_bytes - 1) / digest_chunk_bytes;
}

}  // namespace detbench
