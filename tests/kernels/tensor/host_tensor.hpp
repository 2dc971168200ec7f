// Host memory with a tensor on it, for tests.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "kernels/tensor/philox.hpp"
#include "kernels/tensor/tensor.hpp"

namespace detbench {

struct HostTensor {
  std::vector<std::byte> memory;
  Tensor tensor;

  HostTensor(DataType type, Shape shape, MemoryLayout layout) {
    tensor.spec = {"test", type, std::move(shape), std::move(layout)};
    memory.resize(tensor.spec.bytes());
    tensor.region = {memory.data(), memory.size()};
  }
  HostTensor(DataType type, const Shape& shape) : HostTensor(type, shape, canonical_layout(shape)) {}
  HostTensor(const HostTensor&) = delete;

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(memory.data());
  }
};

/// Random bytes from a named stream.
inline void randomize(std::vector<std::byte>& memory, std::uint64_t seed) {
  for (std::size_t at = 0; at < memory.size(); at += 16) {
    const PhiloxWords r = philox4x32(at / 16, 0, 0, stream_key(seed, "test"));
    std::memcpy(memory.data() + at, &r, std::min<std::size_t>(16, memory.size() - at));
  }
}

/// Calls visit(canonical index, index array) for every element of a shape, one by one.
template <class Visit>
void for_each_index(const Shape& shape, Visit&& visit) {
  std::int64_t index[max_rank]{};
  const std::int64_t elements = element_count(shape);
  for (std::int64_t i = 0; i < elements; ++i) {
    std::int64_t rest = i;
    for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
    visit(i, index);
  }
}

/// Copies the elements of one tensor into another of the same type and shape, element by element through
/// MemoryLayout::offset; bytes outside the elements are left as they are.
inline void copy_elements(const HostTensor& from, HostTensor& to) {
  const std::size_t bytes = size_of(from.tensor.spec.type);
  for_each_index(from.tensor.spec.shape, [&](std::int64_t, const std::int64_t* index) {
    std::memcpy(to.memory.data() + static_cast<std::size_t>(to.tensor.spec.layout.offset(index)) * bytes,
                from.memory.data() + static_cast<std::size_t>(from.tensor.spec.layout.offset(index)) * bytes, bytes);
  });
}

/// Layouts that an N,H,W,C or G,K,R,S,C shape may have, the last ones with blocks of both kinds and with gaps.
inline std::vector<MemoryLayout> sample_layouts(const Shape& shape) {
  std::vector<MemoryLayout> layouts{canonical_layout(shape)};
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  if (shape.size() == 4) {
    for (const char* name : {"nchw", "nchw16c", "nchw8c"}) layouts.push_back(*activation_layout(shape, name));
    layouts.push_back(permuted_layout(shape, {3, 2, 1, 0}));
    layouts.push_back(permuted_layout(shape, {1, 0, 3, 2}));
    // Rows of channels padded to 7 more elements.
    const std::int64_t c = shape[3] + 7;
    layouts.push_back({{shape[1] * shape[2] * c, shape[2] * c, c, 1}, {}, shape[0] * shape[1] * shape[2] * c});
  }
  if (shape.size() == 5) {
    layouts.push_back(permuted_layout(shape, {0, 1, 4, 2, 3}));
    layouts.push_back(permuted_layout(shape, {2, 3, 4, 0, 1}));
    // gOIhw16i16o and gOIhw4i16o4i of oneDNN: K and C padded to blocks.
    const std::int64_t g = shape[0], r = shape[2], s = shape[3], ko = up(shape[1], 16), co = up(shape[4], 16);
    const Shape strides{ko * co * r * s * 256, co * r * s * 256, s * 256, 256, r * s * 256};
    layouts.push_back({strides, {{4, 16}, {1, 16}}, g * ko * co * r * s * 256});
    layouts.push_back({strides, {{4, 4}, {1, 16}, {4, 4}}, g * ko * co * r * s * 256});
    // Goihw16g: groups in blocks, as for depthwise filters.
    const std::int64_t go = up(g, 16), k = shape[1], c = shape[4];
    layouts.push_back(
        {{k * c * r * s * 16, c * r * s * 16, s * 16, 16, r * s * 16}, {{0, 16}}, go * k * c * r * s * 16});
  }
  if (shape.size() == 1) layouts.push_back({{3}, {}, shape[0] * 3});
  if (shape.size() == 2) layouts.push_back(permuted_layout(shape, {1, 0}));
  return layouts;
}

}  // namespace detbench
