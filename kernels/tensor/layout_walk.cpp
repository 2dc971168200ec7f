#include "kernels/tensor/layout_walk.hpp"

namespace detbench {

LayoutWalk::LayoutWalk(const TensorSpec& spec) : elements_(element_count(spec.shape)) {
  for (int d = 0; d < static_cast<int>(spec.shape.size()); ++d) {
    Dimension dimension;
    dimension.size = spec.shape[d];
    dimension.stride = spec.layout.strides[d];
    dimension.run = dimension.size;
    if (dimension.size == 1) continue;  // its only index is 0, which lies at offset 0

    std::int64_t multiplier = 1;  // elements that the blocks inside the present one hold
    std::vector<std::pair<std::int64_t, std::int64_t>> own;  // (block size, multiplier), innermost first
    for (auto block = spec.layout.blocks.rbegin(); block != spec.layout.blocks.rend(); ++block) {
      if (block->dimension == d) own.emplace_back(block->size, multiplier);
      multiplier *= block->size;
    }
    if (!own.empty()) {
      dimension.table.resize(dimension.size);
      for (std::int64_t i = 0; i < dimension.size; ++i) {
        std::int64_t rest = i, offset = 0;
        for (const auto& [size, inside] : own) {
          offset += rest % size * inside;
          rest /= size;
        }
        dimension.table[i] = offset + rest * spec.layout.strides[d];
      }
      dimension.run = own.front().first;
      dimension.stride = own.front().second;
    } else if (!dimensions_.empty() && dimensions_.back().table.empty() &&
               dimensions_.back().stride == dimension.stride * dimension.size) {
      // The dimension before it continues this one: one longer dimension.
      dimensions_.back().size *= dimension.size;
      dimensions_.back().stride = dimension.stride;
      dimensions_.back().run = dimensions_.back().size;
      continue;
    }
    dimensions_.push_back(std::move(dimension));
  }
  if (dimensions_.empty()) dimensions_.emplace_back();
}

void gather(const LayoutWalk& walk, std::size_t element_bytes, const void* memory, std::int64_t first, std::int64_t count, void* out) {
  switch (element_bytes) {
    case 1: return gather<std::uint8_t>(walk, memory, first, count, out);
    case 2: return gather<std::uint16_t>(walk, memory, first, count, out);
    case 4: return gather<std::uint32_t>(walk, memory, first, count, out);
    default: return gather<std::uint64_t>(walk, memory, first, count, out);
  }
}

void scatter(const LayoutWalk& walk, std::size_t element_bytes, void* memory, std::int64_t first, std::int64_t count, const void* in) {
  switch (element_bytes) {
    case 1: return scatter<std::uint8_t>(walk, memory, first, count, in);
    case 2: return scatter<std::uint16_t>(walk, memory, first, count, in);
    case 4: return scatter<std::uint32_t>(walk, memory, first, count, in);
    default: return scatter<std::uint64_t>(walk, memory, first, count, in);
  }
}

}  // namespace detbench
