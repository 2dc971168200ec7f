#include "bench/core/schedule.hpp"

#include <numeric>

#include "bench/core/random.hpp"

namespace detbench {

std::vector<Slot> make_schedule(std::uint32_t arms, std::uint32_t blocks, std::uint64_t seed) {
  SeededRandom random(seed, "schedule/order");
  std::vector<Slot> slots;
  slots.reserve(std::size_t{arms} * blocks);
  for (std::uint32_t block = 0; block < blocks; ++block) {
    std::vector<std::uint32_t> order(arms);
    std::iota(order.begin(), order.end(), 0u);
    shuffle(order, random);
    for (std::uint32_t position = 0; position < arms; ++position) slots.push_back({block, position, order[position]});
  }
  return slots;
}

std::vector<bool> choosing_blocks(std::uint32_t blocks, std::uint64_t seed) {
  std::vector<bool> choosing(blocks, false);
  if (blocks < 2) return choosing;
  SeededRandom random(seed, "schedule/halves");
  std::vector<std::uint32_t> order(blocks);
  std::iota(order.begin(), order.end(), 0u);
  shuffle(order, random);
  for (std::uint32_t i = 0; i < blocks / 2; ++i) choosing[order[i]] = true;
  return choosing;
}

}  // namespace detbench
