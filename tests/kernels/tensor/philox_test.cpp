#include "kernels/tensor/philox.hpp"

#include <gtest/gtest.h>

#include <set>

#include "kernels/tensor/digest_host.hpp"
#include "kernels/tensor/philox_block.hpp"

namespace detbench {
namespace {

struct KnownAnswer {
  std::uint32_t counter[4], key[2], words[4];
};

// Random123's kat_vectors, "philox4x32 10".
constexpr KnownAnswer known_answers[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                                         {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                                          {0xffffffff, 0xffffffff},
                                          {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                                         {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                                          {0xa4093822, 0x299f31d0},
                                          {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};

TEST(Philox, KnownAnswersOfRandom123) {
  for (const auto& [counter, key, words] : known_answers) {
    const PhiloxWords r = philox4x32(std::uint64_t{counter[1]} << 32 | counter[0], counter[2], counter[3],
                                     std::uint64_t{key[1]} << 32 | key[0]);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(r.w[i], words[i]) << i;
  }
}

TEST(Philox, BlocksHaveTheWordsOfSingleCallsOnEveryInstructionSet) {
  const std::uint64_t key = stream_key(4, "block");
  for (int level = 0; level <= digest_instruction_level(); ++level) {
    for (const std::uint64_t first :
         {std::uint64_t{0}, std::uint64_t{12345}, (std::uint64_t{1} << 32) - 100, ~std::uint64_t{0} - 1000}) {
      PhiloxBlock block;
      draw_philox_block(first, 3, key, block, level);
      for (int i = 0; i < philox_block_size; ++i) {
        const PhiloxWords r = philox4x32(first + static_cast<std::uint64_t>(i), 3, 0, key);
        for (int w = 0; w < 4; ++w) ASSERT_EQ(block.word[w][i], r.w[w]) << level << " " << i;
      }
    }
  }
}

TEST(Philox, HashNameIsFnv1a) {
  // Test vectors of the FNV reference code.
  EXPECT_EQ(hash_name(""), 0xcbf29ce484222325u);
  EXPECT_EQ(hash_name("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(hash_name("foobar"), 0x85944171f73967e8u);
}

TEST(Philox, Mix64IsSplitmixFinalizer) {
  // splitmix64 seeded with 1234567 begins with these numbers (Rosetta Code, Java's SplittableRandom).
  std::uint64_t state = 1234567;
  for (const std::uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u, 16408922859458223821u})
    EXPECT_EQ(mix64(state += 0x9E3779B97F4A7C15u), expected);
}

TEST(Philox, StreamsAndSeedsHaveKeysOfTheirOwn) {
  std::set<std::uint64_t> keys;
  int asked = 0;
  for (const char* name :
       {"weights", "shuffle", "augmentation", "dropout", "drop_connect", "conv_fwd/src", "conv_fwd/weights"})
    for (std::uint64_t seed = 0; seed < 200; ++seed, ++asked) keys.insert(stream_key(seed, name));
  EXPECT_EQ(keys.size(), static_cast<std::size_t>(asked));
}

}  // namespace
}  // namespace detbench
