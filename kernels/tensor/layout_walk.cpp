#include "kernels/tensor/layout_walk.hpp"

#include "kernels/tensor/layout_index.hpp"

namespace detbench {

LayoutWalk::LayoutWalk(const TensorSpec& spec) : elements_(element_count(spec.shape)) {
  for (const LayoutDimension& from : simplify_layout(spec)) {
    Dimension to{from.size, from.stride, from.size, {}};
    if (!from.blocks.empty()) {
      to.table.resize(static_cast<std::size_t>(from.size));
      for (std::int64_t i = 0; i < from.size; ++i) {
        std::int64_t rest = i, offset = 0;
        for (const auto& [size, stride] : from.blocks) {
          offset += rest % size * stride;
          rest /= size;
        }
        to.table[static_cast<std::size_t>(i)] = offset + rest * from.stride;
      }
      to.run = from.blocks.front().size;
      to.stride = from.blocks.front().stride;
    }
    dimensions_.push_back(std::move(to));
  }
}

void gather(const LayoutWalk& walk, std::size_t element_bytes, const void* memory, std::int64_t first,
            std::int64_t count, void* out) {
  switch (element_bytes) {
    case 1: return gather<std::uint8_t>(walk, memory, first, count, out);
    case 2: return gather<std::uint16_t>(walk, memory, first, count, out);
    case 4: return gather<std::uint32_t>(walk, memory, first, count, out);
    default: return gather<std::uint64_t>(walk, memory, first, count, out);
  }
}

void scatter(const LayoutWalk& walk, std::size_t element_bytes, void* memory, std::int64_t first, std::int64_t count,
             const void* in) {
  switch (element_bytes) {
    case 1: return scatter<std::uint8_t>(walk, memory, first, count, in);
    case 2: return scatter<std::uint16_t>(walk, memory, first, count, in);
    case 4: return scatter<std::uint32_t>(walk, memory, first, count, in);
    default: return scatter<std::uint64_t>(walk, memory, first, count, in);
  }
}

}  // namespace detbench
