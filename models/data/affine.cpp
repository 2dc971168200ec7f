#include "models/data/affine.hpp"

#include <cstdint>
#include <utility>

namespace detbench {
namespace {

constexpr std::pair<FillMode, std::string_view> names[] = {
    {FillMode::nearest, "nearest"}, {FillMode::constant, "constant"}, {FillMode::reflect, "reflect"}, {FillMode::wrap, "wrap"}};

/// Cut to where every coordinate that matters lies, so that the conversion to an integer is defined whatever the map is: NaN
/// becomes 0.
double bounded(double x) { return x >= -1e15 ? (x <= 1e15 ? x : 1e15) : (x < -1e15 ? -1e15 : 0.0); }

/// `x` as a coordinate within [-1, n], or -1 where the constant is meant. The formulas, and where they truncate, are those
/// of SciPy's map_coordinate (ni_interpolation.c); another period or another rounding shows at every border.
double map_coordinate(double x, std::int64_t n, FillMode mode) {
  const double last = static_cast<double>(n - 1);
  if (x >= 0 && x <= last) return x;
  switch (mode) {
    case FillMode::constant: return -1;
    case FillMode::nearest: return x < 0 ? 0 : last;
    case FillMode::reflect: {
      if (n <= 1) return 0;
      const double period = static_cast<double>(2 * n);
      if (x < 0) {
        if (x < -period) x += period * static_cast<double>(static_cast<std::int64_t>(-x / period));
        return x < static_cast<double>(-n) ? x + period : (x > -1e-15 ? 1e-15 : -x) - 1;
      }
      x -= period * static_cast<double>(static_cast<std::int64_t>(x / period));
      return x >= static_cast<double>(n) ? period - x - 1 : x;
    }
    case FillMode::wrap:
      if (n <= 1) return 0;
      if (x < 0) return x + last * static_cast<double>(static_cast<std::int64_t>(-x / last) + 1);
      return x - last * static_cast<double>(static_cast<std::int64_t>(x / last));
  }
  return -1;
}

/// The two pixels around a coordinate and the weight of each.
struct Neighbours {
  std::int64_t first = 0, second = 0;
  double weight_first = 0, weight_second = 0;
  bool outside = false;
};
Neighbours neighbours(double coordinate, std::int64_t n, FillMode mode) {
  const double x = map_coordinate(bounded(coordinate), n, mode);
  if (!(x > -1)) return {.outside = true};
  const std::int64_t truncated = static_cast<std::int64_t>(x), first = truncated - (x < static_cast<double>(truncated) ? 1 : 0);
  const double fraction = x - static_cast<double>(first);
  // Beyond the border a neighbour is the border pixel itself (reflect), or its weight is zero.
  const auto inside = [n](std::int64_t i) { return i < 0 ? 0 : i >= n ? n - 1 : i; };
  return {inside(first), inside(first + 1), 1 - fraction, fraction, false};
}

}  // namespace

std::string_view to_text(FillMode mode) {
  for (const auto& [value, name] : names)
    if (value == mode) return name;
  return "nearest";
}

std::optional<FillMode> parse_fill_mode(std::string_view text) {
  for (const auto& [value, name] : names)
    if (name == text) return value;
  return std::nullopt;
}

void resample_affine(std::span<const float> source, std::span<float> target, const ImageSize& image, const AffineMap& map, FillMode mode,
                     double constant) {
  const std::int64_t channels = image.channels;
  const auto& m = map.m;
  for (std::int64_t row = 0; row < image.height; ++row)
    for (std::int64_t column = 0; column < image.width; ++column) {
      const auto r = static_cast<double>(row), c = static_cast<double>(column);
      const Neighbours y = neighbours(r * m[0][0] + c * m[0][1] + m[0][2], image.height, mode);
      const Neighbours x = neighbours(r * m[1][0] + c * m[1][1] + m[1][2], image.width, mode);
      float* out = target.data() + (row * image.width + column) * channels;
      for (std::int64_t k = 0; k < channels; ++k) {
        double value = constant;
        if (!y.outside && !x.outside) {
          const auto at = [&](std::int64_t i, std::int64_t j) { return static_cast<double>(source[static_cast<std::size_t>((i * image.width + j) * channels + k)]); };
          value = at(y.first, x.first) * y.weight_first * x.weight_first;
          value += at(y.first, x.second) * y.weight_first * x.weight_second;
          value += at(y.second, x.first) * y.weight_second * x.weight_first;
          value += at(y.second, x.second) * y.weight_second * x.weight_second;
        }
        out[k] = static_cast<float>(value);
      }
    }
}

}  // namespace detbench
