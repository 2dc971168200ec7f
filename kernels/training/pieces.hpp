// Many tensors in one op: small ones would otherwise each pay for a launch, or for starting threads. All tensors of a list
// are cut into pieces of bounded size; a thread of the CPU or a block of a GPU takes a piece at a time. Who
// takes which is no matter to the answer, because no piece looks at another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace detbench::training {

struct Piece {
  std::int64_t begin;   ///< first element
  std::int32_t count;   ///< elements
  std::int32_t tensor;
};

/// Elements of a piece for a CPU's thread, and for a GPU's block, where a few million weights have to keep a thousand blocks
/// busy. Multiples of 4, so that the vectors of a piece lie as those of its tensor do.
inline constexpr std::int64_t thread_piece = 8192, block_piece = 2048;

inline std::vector<Piece> pieces_of(const std::vector<std::int64_t>& elements, std::int64_t most) {
  std::vector<Piece> pieces;
  for (std::size_t t = 0; t < elements.size(); ++t)
    for (std::int64_t i = 0; i < elements[t]; i += most)
      pieces.push_back({i, static_cast<std::int32_t>(std::min(most, elements[t] - i)), static_cast<std::int32_t>(t)});
  return pieces;
}

}  // namespace detbench::training
