#include "models/data/resize.hpp"

#include <algorithm>
#include <utility>

namespace detbench {
namespace {

constexpr std::pair<ResizeMethod, std::string_view> names[] = {{ResizeMethod::nearest, "nearest"}, {ResizeMethod::bilinear, "bilinear"}};

/// Source positions by repeated addition, as Pillow tabulates them: where a centre falls between two pixels, which happens
/// at 256 to 224 every seventh time, the sum's roundings decide.
void nearest_positions(std::int64_t from, std::int64_t to, std::vector<std::int64_t>& positions) {
  const double step = static_cast<double>(from) / static_cast<double>(to);
  double position = step * 0.5;
  for (std::int64_t i = 0; i < to; ++i, position += step) positions.push_back(std::min(static_cast<std::int64_t>(position), from - 1));
}

void resize_nearest(const ByteImage& source, const ImageSize& target, std::span<float> pixels, ResizeScratch& scratch) {
  scratch.positions.clear();
  nearest_positions(source.size.height, target.height, scratch.positions);
  nearest_positions(source.size.width, target.width, scratch.positions);
  const std::int64_t* rows = scratch.positions.data();
  const std::int64_t* columns = rows + target.height;
  float* out = pixels.data();
  for (std::int64_t i = 0; i < target.height; ++i)
    for (std::int64_t j = 0; j < target.width; ++j) {
      const std::uint8_t* pixel = source.pixels.data() + (rows[i] * source.size.width + columns[j]) * source.size.channels;
      for (std::int64_t k = 0; k < source.size.channels; ++k) *out++ = static_cast<float>(pixel[k]);
    }
}

constexpr int weight_bits = 22;  ///< 32 bits less 8 of a pixel and 2 for sums above 1

/// For each target position: the first source position and how many, in `positions`; `taps` weights each, in units of
/// 2^-weight_bits, in `weights`. Returns taps.
std::int64_t triangle_weights(std::int64_t from, std::int64_t to, ResizeScratch& scratch) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), support = scale < 1 ? 1 : scale;
  auto whole = static_cast<std::int64_t>(support);
  if (static_cast<double>(whole) < support) ++whole;
  const std::int64_t taps = whole * 2 + 1;
  scratch.positions.assign(static_cast<std::size_t>(2 * to), 0);
  scratch.weights.assign(static_cast<std::size_t>(taps * to), 0);
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale, inverse = 1.0 / support;
    const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const std::int64_t count = std::min(static_cast<std::int64_t>(centre + support + 0.5), from) - first;
    const auto weight = [&](std::int64_t x) {
      const double distance = (static_cast<double>(x + first) - centre + 0.5) * inverse, size = distance < 0 ? -distance : distance;
      return size < 1 ? 1 - size : 0.0;
    };
    double sum = 0;
    for (std::int64_t x = 0; x < count; ++x) sum += weight(x);
    for (std::int64_t x = 0; x < count; ++x)
      scratch.weights[static_cast<std::size_t>(i * taps + x)] = static_cast<std::int32_t>(0.5 + (sum != 0 ? weight(x) / sum : 0.0) * static_cast<double>(1 << weight_bits));
    scratch.positions[static_cast<std::size_t>(2 * i)] = first;
    scratch.positions[static_cast<std::size_t>(2 * i + 1)] = count;
  }
  return taps;
}

/// One pass along an axis: `outer` lines of `from` elements (weights set for them) that lie `stride` bytes apart, `stride`
/// neighbouring lines each; out(line, value).
template <class Out>
void filter(const std::uint8_t* source, std::int64_t outer, std::int64_t from, std::int64_t to, std::int64_t stride, std::int64_t taps, const ResizeScratch& scratch,
            Out* target) {
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < to; ++i) {
      const std::int64_t first = scratch.positions[static_cast<std::size_t>(2 * i)], count = scratch.positions[static_cast<std::size_t>(2 * i + 1)];
      for (std::int64_t s = 0; s < stride; ++s) {
        std::int32_t sum = 1 << (weight_bits - 1);
        for (std::int64_t x = 0; x < count; ++x)
          sum += source[(o * from + first + x) * stride + s] * scratch.weights[static_cast<std::size_t>(i * taps + x)];
        *target++ = static_cast<Out>(std::clamp(sum >> weight_bits, 0, 255));
      }
    }
}

void resize_bilinear(const ByteImage& source, const ImageSize& target, std::span<float> pixels, ResizeScratch& scratch) {
  const auto [height, width, channels] = source.size;
  // Which axis goes first shows in the bits, because the first pass is rounded to 8 bits: Pillow 13 takes the columns first
  // where that removes more than twice as many rows as the other way would remove columns. (Found by comparing with it; a pass
  // that changes no size has the weight 1 alone, so it changes no value either.)
  const bool vertical_first = target.height < height && height - target.height > 2 * (width - target.width);
  scratch.rows.resize(static_cast<std::size_t>(vertical_first ? target.height * width * channels : height * target.width * channels));
  std::uint8_t* between = scratch.rows.data();
  if (vertical_first) {
    std::int64_t taps = triangle_weights(height, target.height, scratch);
    filter(source.pixels.data(), 1, height, target.height, width * channels, taps, scratch, between);
    taps = triangle_weights(width, target.width, scratch);
    filter(between, target.height, width, target.width, channels, taps, scratch, pixels.data());
  } else {
    std::int64_t taps = triangle_weights(width, target.width, scratch);
    filter(source.pixels.data(), height, width, target.width, channels, taps, scratch, between);
    taps = triangle_weights(height, target.height, scratch);
    filter(between, 1, height, target.height, target.width * channels, taps, scratch, pixels.data());
  }
}

}  // namespace

std::string_view to_text(ResizeMethod method) {
  for (const auto& [value, name] : names)
    if (value == method) return name;
  return "nearest";
}

std::optional<ResizeMethod> parse_resize_method(std::string_view text) {
  for (const auto& [value, name] : names)
    if (name == text) return value;
  return std::nullopt;
}

void resize(const ByteImage& source, const ImageSize& target, ResizeMethod method, std::span<float> pixels, ResizeScratch& scratch) {
  if (method == ResizeMethod::nearest) resize_nearest(source, target, pixels, scratch);
  else resize_bilinear(source, target, pixels, scratch);
}

}  // namespace detbench
