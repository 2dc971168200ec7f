#include "models/filled_values.hpp"

namespace detbench {
namespace {

template <class T>
Result<std::vector<T>> filled(DataType type, const Shape& shape, const Result<FillSpec>& fill) {
  if (!fill) return tl::unexpected(fill.error());
  std::vector<T> values(static_cast<std::size_t>(element_count(shape)));
  if (auto s = fill_on_host({{"values", type, shape, canonical_layout(shape)}, {values.data(), values.size() * sizeof(T)}}, *fill); !s)
    return tl::unexpected(s.error());
  return values;
}

}  // namespace

Result<std::vector<double>> filled_values(const Shape& shape, const Result<FillSpec>& fill) {
  auto numbers = filled<float>(DataType::f32, shape, fill);
  if (!numbers) return tl::unexpected(numbers.error());
  return std::vector<double>(numbers->begin(), numbers->end());
}

Result<std::vector<std::int32_t>> filled_labels(std::int64_t count, const Result<FillSpec>& fill) {
  return filled<std::int32_t>(DataType::i32, {count}, fill);
}

}  // namespace detbench
