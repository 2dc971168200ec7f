#include "kernels/device/poison.hpp"

#include <algorithm>
#include <cstring>

namespace detbench {

void poison_on_host(Region region, Poison poison, std::uint64_t seed) {
  constexpr std::size_t piece = 1 << 16;
  auto* memory = static_cast<char*>(region.data);
#pragma omp parallel for schedule(static) if (region.bytes > 4 * piece)
  for (std::size_t first = 0; first < region.bytes; first += piece) {
    const std::size_t end = std::min(region.bytes, first + piece);
    for (std::size_t at = first; at < end; at += 8) {  // the region may start at any address
      const std::uint64_t words = poison_words(poison, seed, at / 8);
      std::memcpy(memory + at, &words, std::min<std::size_t>(8, end - at));
    }
  }
}

}  // namespace detbench
