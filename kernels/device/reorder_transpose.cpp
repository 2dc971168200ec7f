#include "kernels/device/reorder_transpose.hpp"

#include "kernels/device/reorder_cuda.hpp"

namespace detbench::reorder {
namespace {

bool lies_as(const TensorSpec& spec, const MemoryLayout& layout) {
  return spec.layout == layout || same_places(spec, {spec.role, spec.type, spec.shape, layout});
}

}  // namespace

bool same_places(const TensorSpec& a, const TensorSpec& b) {
  return a.shape == b.shape && (a.layout == b.layout || (a.is_canonical() && b.is_canonical()));
}

std::optional<Transpose> transpose_of(const TensorSpec& from, const TensorSpec& to) {
  const Shape& s = from.shape;
  // The channels, last in canonical order, go past the pixels, or the pixels past the channels.
  const bool activation = s.size() == 4;
  if ((!activation && s.size() != 5) || to.shape != s) return std::nullopt;
  const MemoryLayout planes = activation ? permuted_layout(s, {0, 3, 1, 2}) : permuted_layout(s, {0, 1, 4, 2, 3});
  const std::int64_t batches = activation ? s[0] : s[0] * s[1], channels = s.back(), pixels = activation ? s[1] * s[2] : s[2] * s[3];
  if (from.is_canonical() && lies_as(to, planes)) return Transpose{batches, pixels, channels};
  if (to.is_canonical() && lies_as(from, planes)) return Transpose{batches, channels, pixels};
  return std::nullopt;
}

}  // namespace detbench::reorder
