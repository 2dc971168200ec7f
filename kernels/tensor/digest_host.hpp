// What the digest's host half shares with its CUDA half and its tests.
#pragma once

#include <span>

#include "kernels/tensor/digest.hpp"
#include "kernels/tensor/digest_arithmetic.hpp"

namespace detbench {

/// Joins the sums over chunks with type, shape and byte length into the tensor's digest.
Digest finish_digest(const TensorSpec& spec, const DigestLanes& total);

/// The sum over the words of one chunk of 4 KiB, at any address. `level` picks the instruction set: 0 plain, 1 AVX2,
/// 2 AVX-512; all give the same sums.
DigestLanes digest_chunk(const void* chunk, int level);
/// The best level this processor has.
int digest_instruction_level();

/// Terms of the chunks of `bytes` bytes in canonical order, the first of which has the number `first_chunk`. A last
/// chunk that is not full is filled up with zero bytes.
DigestLanes digest_bytes(const void* data, std::int64_t bytes, std::uint64_t first_chunk);

}  // namespace detbench
