#include "kernels/tensor/layout_index.hpp"

#include <bit>

namespace detbench {

std::vector<LayoutDimension> simplify_layout(const TensorSpec& spec) {
  std::vector<LayoutDimension> dimensions;
  for (int d = 0; d < static_cast<int>(spec.shape.size()); ++d) {
    LayoutDimension dimension{spec.shape[d], spec.layout.strides[d], {}};
    if (dimension.size == 1) continue;  // its only index is 0, which lies at offset 0
    std::int64_t inside = 1;            // elements that the blocks inside the present one hold
    for (auto block = spec.layout.blocks.rbegin(); block != spec.layout.blocks.rend(); ++block) {
      if (block->dimension == d) dimension.blocks.push_back({block->size, inside});
      inside *= block->size;
    }
    if (dimension.blocks.empty() && !dimensions.empty() && dimensions.back().blocks.empty() &&
        dimensions.back().stride == dimension.stride * dimension.size) {
      dimensions.back().size *= dimension.size;  // the dimension before continues this one: one longer dimension
      dimensions.back().stride = dimension.stride;
    } else {
      dimensions.push_back(std::move(dimension));
    }
  }
  if (dimensions.empty()) dimensions.emplace_back();
  return dimensions;
}

Divisor Divisor::of(std::uint32_t d) {
  const auto s = static_cast<std::uint32_t>(std::bit_width(d - 1));  // 2^(s-1) < d <= 2^s
  const std::uint64_t power = std::uint64_t{1} << (31 + s);
  return {d, static_cast<std::uint32_t>((power + d - 1) / d), 31 + s};
}

Result<LayoutIndex> make_layout_index(const TensorSpec& spec) {
  const auto dimensions = simplify_layout(spec);
  LayoutIndex index;
  index.elements = element_count(spec.shape);
  index.narrow = index.elements < (std::int64_t{1} << 31);
  index.contiguous = dimensions.size() == 1 && dimensions[0].stride == 1 && dimensions[0].blocks.empty();
  if (dimensions.size() > max_rank)
    return invalid_input("a layout of " + std::to_string(dimensions.size()) + " dimensions; at most " +
                         std::to_string(max_rank) + " are supported");
  std::int32_t blocks = 0;
  // Below 2^31 elements every size that can be asked fits; beyond, the wide form does not use divisors.
  const auto divisor = [](std::int64_t size) {
    return size > 0 && size < (std::int64_t{1} << 31) ? Divisor::of(static_cast<std::uint32_t>(size)) : Divisor{};
  };
  for (const LayoutDimension& from : dimensions) {
    auto& to = index.dimension[index.rank++];
    to = {from.size, from.stride, divisor(from.size), blocks, static_cast<std::int32_t>(from.blocks.size())};
    for (const auto& block : from.blocks) {
      if (blocks == LayoutIndex::max_blocks)
        return invalid_input("a layout of more than " + std::to_string(LayoutIndex::max_blocks) +
                             " blocks is not supported on this device");
      index.block[blocks++] = {block.size, block.stride, divisor(block.size)};
    }
  }
  return index;
}

}  // namespace detbench
