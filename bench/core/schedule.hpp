// Which arm runs when: blocks that hold every arm once, in an order drawn from a recorded seed (METHOD section 7).
#pragma once

#include <cstdint>
#include <vector>

namespace detbench {

struct Slot {
  std::uint32_t block = 0;
  std::uint32_t position = 0;  ///< within the block
  std::uint32_t arm = 0;
  bool operator==(const Slot&) const = default;
};

/// `blocks` permutations of all arms, one after the other, by our own Fisher-Yates over our own Philox stream: the
/// same on every standard library.
std::vector<Slot> make_schedule(std::uint32_t arms, std::uint32_t blocks, std::uint64_t seed);

/// The seed splits the blocks into two halves that never mix: one picks algorithms, the other gives every published
/// time and ratio. With an odd count the reporting half is the larger. With fewer than 2 blocks every block reports
/// and none chooses.
std::vector<bool> choosing_blocks(std::uint32_t blocks, std::uint64_t seed);

}  // namespace detbench
