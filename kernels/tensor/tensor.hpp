// Shapes, data types and memory layouts: where each logical element of a tensor lies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

enum class DataType { f32, f64, f16, bf16, i32, i64, u8 };

std::string_view to_text(DataType type);
std::optional<DataType> parse_data_type(std::string_view text);
constexpr std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::f64:
    case DataType::i64: return 8;
    case DataType::f16:
    case DataType::bf16: return 2;
    case DataType::u8: return 1;
    default: return 4;
  }
}

inline constexpr int max_rank = 5;

/// Sizes in the canonical logical order (METHOD section 8): activations N,H,W,C; filters G,K,R,S,C with K the output
/// channels of one group and C the input channels of one group; matrices rows, columns; vectors one size.
using Shape = std::vector<std::int64_t>;
std::int64_t element_count(const Shape& shape);

/// Where logical index (i_0 .. i_{r-1}) lies: inner blocks (innermost last) come first off each index, then
/// offset = inner offset + sum over dimensions of (what is left of i_d) * stride[d]. This is the blocked format of
/// oneDNN ("nChw16c" is one inner block of 16 on dimension C) and, with no blocks, any plain strided layout.
struct MemoryLayout {
  struct Block {
    int dimension;
    std::int64_t size;
    bool operator==(const Block&) const = default;
  };
  Shape strides;              ///< in elements, per logical dimension, between outer blocks
  std::vector<Block> blocks;  ///< outermost first
  std::int64_t elements = 0;  ///< elements the memory holds, padding included

  bool operator==(const MemoryLayout&) const = default;
  std::int64_t offset(const std::int64_t* index) const;
};

/// What a tensor is, without memory.
struct TensorSpec {
  std::string role;  ///< "src", "weights", "dst", "diff_weights", "mean", ...
  DataType type = DataType::f32;
  Shape shape;
  MemoryLayout layout;

  std::size_t bytes() const { return static_cast<std::size_t>(layout.elements) * size_of(type); }
  /// True when elements lie in canonical order without gaps: the fast path of fills, digests and comparisons.
  bool is_canonical() const;
};

struct Region {
  void* data = nullptr;  ///< device memory: only kernels/ looks inside
  std::size_t bytes = 0;
};

/// A tensor bound to memory that somebody else owns.
struct Tensor {
  TensorSpec spec;
  Region region;
};

/// Row-major in canonical order: "nhwc" for activations, "gkrsc" for filters.
MemoryLayout canonical_layout(const Shape& shape);
/// Plain layout whose dimensions lie in memory in the given order, slowest first: {0,3,1,2} on N,H,W,C is NCHW.
MemoryLayout permuted_layout(const Shape& shape, const std::vector<int>& order);
/// The activation layouts by name: "nhwc", "nchw", "nchw16c", "nchw8c" (channels padded up to the block).
Result<MemoryLayout> activation_layout(const Shape& nhwc, std::string_view name);
/// A short text for tables: "nhwc", "nchw", "nchw16c", "gkrsc", "goihw", or strides and blocks spelled out.
std::string describe_layout(const TensorSpec& spec);

}  // namespace detbench
