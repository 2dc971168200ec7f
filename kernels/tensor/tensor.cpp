#include "kernels/tensor/tensor.hpp"

#include <numeric>

namespace detbench {
namespace {

constexpr std::pair<DataType, std::string_view> data_type_names[] = {
    {DataType::f32, "f32"}, {DataType::f64, "f64"}, {DataType::f16, "f16"}, {DataType::bf16, "bf16"},
    {DataType::i32, "i32"}, {DataType::i64, "i64"}, {DataType::u8, "u8"}};

std::vector<int> natural_order(std::size_t rank) {
  std::vector<int> order(rank);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

MemoryLayout channel_blocked(const Shape& nhwc, std::int64_t block) {
  const std::int64_t n = nhwc[0], h = nhwc[1], w = nhwc[2], outer = (nhwc[3] + block - 1) / block;
  return {{outer * h * w * block, w * block, block, h * w * block}, {{3, block}}, n * outer * h * w * block};
}

}  // namespace

std::string_view to_text(DataType type) {
  for (const auto& [t, text] : data_type_names)
    if (t == type) return text;
  return "f32";
}

std::optional<DataType> parse_data_type(std::string_view text) {
  for (const auto& [type, name] : data_type_names)
    if (name == text) return type;
  return std::nullopt;
}

std::int64_t element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t MemoryLayout::offset(const std::int64_t* index) const {
  std::array<std::int64_t, max_rank> rest{};
  for (std::size_t d = 0; d < strides.size(); ++d) rest[d] = index[d];
  std::int64_t offset = 0, inner = 1;
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    offset += rest[block->dimension] % block->size * inner;
    rest[block->dimension] /= block->size;
    inner *= block->size;
  }
  for (std::size_t d = 0; d < strides.size(); ++d) offset += rest[d] * strides[d];
  return offset;
}

bool TensorSpec::is_canonical() const {
  if (!layout.blocks.empty() || layout.elements != element_count(shape)) return false;
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0; stride *= shape[d])
    if (shape[d] != 1 && layout.strides[d] != stride) return false;
  return true;
}

MemoryLayout permuted_layout(const Shape& shape, const std::vector<int>& order) {
  MemoryLayout layout{Shape(shape.size()), {}, element_count(shape)};
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    layout.strides[order[i]] = stride;
    stride *= shape[order[i]];
  }
  return layout;
}

MemoryLayout canonical_layout(const Shape& shape) { return permuted_layout(shape, natural_order(shape.size())); }

Result<MemoryLayout> activation_layout(const Shape& nhwc, std::string_view name) {
  if (name == "nhwc") return canonical_layout(nhwc);
  if (name == "nchw") return permuted_layout(nhwc, {0, 3, 1, 2});
  if (name == "nchw16c") return channel_blocked(nhwc, 16);
  if (name == "nchw8c") return channel_blocked(nhwc, 8);
  return invalid_input("'" + std::string(name) + "' is no activation layout: nhwc, nchw, nchw16c and nchw8c are");
}

std::string describe_layout(const TensorSpec& spec) {
  const auto& shape = spec.shape;
  if (shape.size() == 4) {
    for (const char* name : {"nhwc", "nchw", "nchw16c", "nchw8c"})
      if (*activation_layout(shape, name) == spec.layout) return name;
  } else if (shape.size() == 5) {
    if (spec.is_canonical()) return "gkrsc";
    if (permuted_layout(shape, {0, 1, 4, 2, 3}) == spec.layout) return "goihw";
    if (permuted_layout(shape, {2, 3, 4, 0, 1}) == spec.layout) return "hwigo";
  } else if (spec.is_canonical()) {
    return "plain";
  }
  std::string text = "strides";
  for (auto s : spec.layout.strides) text += (text == "strides" ? ":" : "x") + std::to_string(s);
  for (const auto& b : spec.layout.blocks) text += "+" + std::to_string(b.size) + "of" + std::to_string(b.dimension);
  return text;
}

}  // namespace detbench
