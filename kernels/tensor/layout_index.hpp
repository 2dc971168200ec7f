// Where the element of any canonical index lies, without memory of its own: the form of a layout that a kernel takes by
// value and asks in any order. (LayoutWalk is the faster form for a thread that goes through neighbouring elements.)
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/tensor/host_device.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

/// One dimension after simplification: sizes of 1 dropped, neighbours that lie one behind the other joined.
struct LayoutDimension {
  struct Block {
    std::int64_t size;    ///< taken off the index, innermost first
    std::int64_t stride;  ///< in elements
  };
  std::int64_t size = 1;
  std::int64_t stride = 1;  ///< of what the blocks leave of the index
  std::vector<Block> blocks;
};
std::vector<LayoutDimension> simplify_layout(const TensorSpec& spec);

/// n / d for n < 2^31 by one multiplication: with 2^(s-1) < d <= 2^s and m = ceil(2^(31+s) / d), which is below 2^32,
/// the quotient is n * m >> (31 + s) (Granlund and Montgomery 1994: exact because m * d - 2^(31+s) <= 2^s).
struct Divisor {
  std::uint32_t divisor = 1, multiplier = 0x80000000u, shift = 31;
  static Divisor of(std::uint32_t d);
  DETBENCH_HOST_DEVICE constexpr std::uint32_t quotient(std::uint32_t n) const {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(n) * multiplier >> shift);
  }
};

/// Plain data; at most max_rank dimensions and `max_blocks` blocks.
struct LayoutIndex {
  static constexpr int max_blocks = 6;
  struct Dimension {
    std::int64_t size = 1, stride = 1;
    Divisor divisor;
    std::int32_t first_block = 0, blocks = 0;
  };
  struct Block {
    std::int64_t size = 1, stride = 1;
    Divisor divisor;
  };
  Dimension dimension[max_rank];  ///< slowest first
  Block block[max_blocks];
  std::int32_t rank = 0;
  bool contiguous = true;
  bool narrow = true;  ///< fewer than 2^31 elements: indices fit the fast division
  std::int64_t elements = 0;

  /// Offset in elements of a canonical index below `elements`.
  DETBENCH_HOST_DEVICE std::int64_t offset(std::int64_t index) const {
    if (contiguous) return index;
    return narrow ? narrow_offset(static_cast<std::uint32_t>(index)) : wide_offset(index);
  }

 private:
  DETBENCH_HOST_DEVICE std::int64_t narrow_offset(std::uint32_t index) const {
    std::int64_t offset = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const Dimension& dim = dimension[d];
      const std::uint32_t outer = d ? dim.divisor.quotient(index) : 0;  // the slowest one takes all that is left
      std::uint32_t rest = index - outer * dim.divisor.divisor;
      index = outer;
      for (int b = dim.first_block; b < dim.first_block + dim.blocks; ++b) {
        const std::uint32_t left = block[b].divisor.quotient(rest);
        offset += static_cast<std::int64_t>(rest - left * block[b].divisor.divisor) * block[b].stride;
        rest = left;
      }
      offset += static_cast<std::int64_t>(rest) * dim.stride;
    }
    return offset;
  }
  DETBENCH_HOST_DEVICE std::int64_t wide_offset(std::int64_t index) const {
    std::int64_t offset = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const Dimension& dim = dimension[d];
      std::int64_t rest = index % dim.size;
      index /= dim.size;
      for (int b = dim.first_block; b < dim.first_block + dim.blocks; ++b) {
        offset += rest % block[b].size * block[b].stride;
        rest /= block[b].size;
      }
      offset += rest * dim.stride;
    }
    return offset;
  }
};

/// Fails for more than LayoutIndex::max_blocks blocks or max_rank dimensions.
Result<LayoutIndex> make_layout_index(const TensorSpec& spec);

}  // namespace detbench
