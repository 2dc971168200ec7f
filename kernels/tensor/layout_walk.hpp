// Walking a layout in canonical order without a division per element.
//
// A blocked layout's offset is separable: offset(i) = sum over dimensions of f_d(i_d), because every block takes its
// part off one dimension alone. So each dimension is either a stride or a table of its own, and a run along the
// innermost dimension is linear within its innermost block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/tensor/tensor.hpp"

namespace detbench {

class LayoutWalk {
 public:
  explicit LayoutWalk(const TensorSpec& spec);

  std::int64_t elements() const { return elements_; }
  /// Every element lies at the offset of its canonical index.
  bool is_contiguous() const {
    return dimensions_.size() == 1 && dimensions_[0].stride == 1 && dimensions_[0].table.empty();
  }

  /// Calls visit(position, offset, length, stride) for runs that cover the canonical indices [first, first + count) in
  /// order: element position + j lies at offset + j * stride (in elements), j < length.
  template <class Visit>
  void runs(std::int64_t first, std::int64_t count, Visit&& visit) const;

 private:
  struct Dimension {
    std::int64_t size = 1;
    std::int64_t stride = 1;          ///< within a run
    std::int64_t run = 1;             ///< elements that lie `stride` apart before the table is asked again
    std::vector<std::int64_t> table;  ///< offset by index; empty: index * stride
    std::int64_t offset(std::int64_t index) const { return table.empty() ? index * stride : table[index]; }
  };
  std::vector<Dimension> dimensions_;  ///< sizes of 1 dropped and neighbours joined; at least one
  std::int64_t elements_ = 0;
};

template <class Visit>
void LayoutWalk::runs(std::int64_t first, std::int64_t count, Visit&& visit) const {
  if (count <= 0) return;
  const int last = static_cast<int>(dimensions_.size()) - 1;
  std::int64_t index[max_rank]{}, base = 0, rest = first;
  for (int d = last; d >= 0; --d) {
    index[d] = rest % dimensions_[d].size;
    rest /= dimensions_[d].size;
    if (d != last) base += dimensions_[d].offset(index[d]);
  }
  const Dimension& inner = dimensions_[last];
  for (std::int64_t position = first, end = first + count; position < end;) {
    const std::int64_t i = index[last];
    const std::int64_t length = std::min({inner.run - i % inner.run, inner.size - i, end - position});
    visit(position, base + inner.offset(i), length, inner.stride);
    position += length;
    index[last] += length;
    if (index[last] < inner.size) continue;
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      base -= dimensions_[d].offset(index[d]);
      if (++index[d] < dimensions_[d].size) {
        base += dimensions_[d].offset(index[d]);
        break;
      }
      index[d] = 0;
    }
  }
}

/// Copies the elements [first, first + count) in canonical order from a tensor's memory to `out` (gather), or from `in`
/// to the memory (scatter). T is an unsigned integer of the element's size.
template <class T>
void gather(const LayoutWalk& walk, const void* memory, std::int64_t first, std::int64_t count, void* out) {
  walk.runs(first, count, [&](std::int64_t position, std::int64_t offset, std::int64_t length, std::int64_t stride) {
    const char* from = static_cast<const char*>(memory) + offset * static_cast<std::int64_t>(sizeof(T));
    char* to = static_cast<char*>(out) + (position - first) * static_cast<std::int64_t>(sizeof(T));
    if (stride == 1) {
      std::memcpy(to, from, static_cast<std::size_t>(length) * sizeof(T));
      return;
    }
    for (std::int64_t j = 0; j < length; ++j)
      std::memcpy(to + j * sizeof(T), from + j * stride * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  });
}
template <class T>
void scatter(const LayoutWalk& walk, void* memory, std::int64_t first, std::int64_t count, const void* in) {
  walk.runs(first, count, [&](std::int64_t position, std::int64_t offset, std::int64_t length, std::int64_t stride) {
    char* to = static_cast<char*>(memory) + offset * static_cast<std::int64_t>(sizeof(T));
    const char* from = static_cast<const char*>(in) + (position - first) * static_cast<std::int64_t>(sizeof(T));
    for (std::int64_t j = 0; j < length; ++j)
      std::memcpy(to + j * stride * static_cast<std::int64_t>(sizeof(T)), from + j * sizeof(T), sizeof(T));
  });
}

/// The same for an element size known at run time only.
void gather(const LayoutWalk& walk, std::size_t element_bytes, const void* memory, std::int64_t first,
            std::int64_t count, void* out);
void scatter(const LayoutWalk& walk, std::size_t element_bytes, void* memory, std::int64_t first, std::int64_t count,
             const void* in);

}  // namespace detbench
