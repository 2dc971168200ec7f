// One loop, compiled per instruction set. Integer arithmetic: every set gives the same words, so the choice at run time
// is one of speed alone.
#include "kernels/tensor/philox_block.hpp"

#include "kernels/tensor/digest_host.hpp"
#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

[[gnu::always_inline]] inline void draw(std::uint64_t first_index, std::uint32_t call, std::uint64_t key,
                                        PhiloxBlock& block) {
  // Rounds outside, calls inside: each inner loop is one that a compiler vectorizes. 16 calls at a time stay in
  // registers.
  constexpr int width = 16;
  for (int at = 0; at < philox_block_size; at += width) {
    std::uint32_t c0[width], c1[width], c2[width], c3[width];
    for (int i = 0; i < width; ++i) {
      const std::uint64_t index = first_index + static_cast<std::uint64_t>(at + i);
      c0[i] = static_cast<std::uint32_t>(index);
      c1[i] = static_cast<std::uint32_t>(index >> 32);
      c2[i] = call;
      c3[i] = 0;
    }
    std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < width; ++i) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0[i], p1 = std::uint64_t{0xCD9E8D57u} * c2[i];
        c0[i] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
        c1[i] = static_cast<std::uint32_t>(p1);
        c2[i] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
        c3[i] = static_cast<std::uint32_t>(p0);
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < width; ++i) {
      block.word[0][at + i] = c0[i];
      block.word[1][at + i] = c1[i];
      block.word[2][at + i] = c2[i];
      block.word[3][at + i] = c3[i];
    }
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void draw_avx2(std::uint64_t first_index, std::uint32_t call, std::uint64_t key,
                                       PhiloxBlock& block) {
  draw(first_index, call, key, block);
}
[[gnu::target("avx512f,prefer-vector-width=512")]] void draw_avx512(std::uint64_t first_index, std::uint32_t call,
                                                                    std::uint64_t key, PhiloxBlock& block) {
  draw(first_index, call, key, block);
}
#endif

}  // namespace

void draw_philox_block(std::uint64_t first_index, std::uint32_t call, std::uint64_t key, PhiloxBlock& block,
                       int level) {
#if defined(__x86_64__)
  if (level == 2) return draw_avx512(first_index, call, key, block);
  if (level == 1) return draw_avx2(first_index, call, key, block);
#endif
  draw(first_index, call, key, block);
}

void draw_philox_block(std::uint64_t first_index, std::uint32_t call, std::uint64_t key, PhiloxBlock& block) {
  draw_philox_block(first_index, call, key, block, digest_instruction_level());
}

}  // namespace detbench
