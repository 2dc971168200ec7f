// Many Philox calls at once, on the vector units that the processor has.
#pragma once

#include <cstdint>

namespace detbench {

inline constexpr int philox_block_size = 256;

/// Words of philox_block_size calls with neighbouring indices, by word.
struct PhiloxBlock {
  alignas(64) std::uint32_t word[4][philox_block_size];
};

/// block.word[w][i] = philox4x32(first_index + i, call, 0, key).w[w].
void draw_philox_block(std::uint64_t first_index, std::uint32_t call, std::uint64_t key, PhiloxBlock& block);
/// The same on a given instruction set (digest_instruction_level's numbers); all give the same words.
void draw_philox_block(std::uint64_t first_index, std::uint32_t call, std::uint64_t key, PhiloxBlock& block, int level);

}  // namespace detbench
