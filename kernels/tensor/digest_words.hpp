// The words of the digest's string taken one by one, in any order, from any layout: how a GPU thread reads them.
#pragma once

#include <cstdint>

#include "kernels/tensor/digest_arithmetic.hpp"
#include "kernels/tensor/layout_index.hpp"

namespace detbench {

/// One element as an integer. `aligned` says that the memory starts at a multiple of the element's size; else the bytes
/// are read one by one, because a GPU faults on unaligned loads.
template <class T, bool aligned>
DETBENCH_HOST_DEVICE inline T load_element(const unsigned char* memory, std::int64_t offset) {
  if constexpr (aligned) return reinterpret_cast<const T*>(memory)[offset];
  T value = 0;
  for (unsigned byte = 0; byte < sizeof(T); ++byte)
    value |= static_cast<T>(static_cast<T>(memory[offset * static_cast<std::int64_t>(sizeof(T)) + byte]) << 8 * byte);
  return value;
}

/// Word number `word` (4 bytes) of the tensor's logical bytes; bytes behind the last element are 0.
template <class T, bool aligned>
DETBENCH_HOST_DEVICE inline std::uint32_t digest_word(const unsigned char* memory, const LayoutIndex& layout,
                                                      std::int64_t word) {
  if constexpr (sizeof(T) == 8) {
    const std::int64_t element = word >> 1;
    if (element >= layout.elements) return 0;
    return static_cast<std::uint32_t>(load_element<T, aligned>(memory, layout.offset(element)) >> 32 * (word & 1));
  } else if constexpr (sizeof(T) == 4) {
    return word < layout.elements ? load_element<T, aligned>(memory, layout.offset(word)) : 0;
  } else {
    constexpr int per_word = 4 / static_cast<int>(sizeof(T));
    std::uint32_t value = 0;
    for (int j = 0; j < per_word; ++j) {
      const std::int64_t element = word * per_word + j;
      if (element < layout.elements)
        value |= static_cast<std::uint32_t>(load_element<T, aligned>(memory, layout.offset(element)))
                 << 8 * static_cast<int>(sizeof(T)) * j;
    }
    return value;
  }
}

}  // namespace detbench
