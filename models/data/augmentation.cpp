#include "models/data/augmentation.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "kernels/tensor/philox.hpp"
#include "kernels/tensor/portable_math.hpp"

namespace detbench {
namespace {

/// A number of its own for each parameter: Philox's `call`. Part of what the bits of a training run depend on.
enum class Draw : std::uint32_t { rotation, height_shift, width_shift, shear, zoom, flips, channel_shift, brightness };

/// In [0, 1), 53 bits.
double uniform(std::uint32_t high, std::uint32_t low) { return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1p-53; }
double between(double low, double high, double u) { return low + (high - low) * u; }

using Matrix = std::array<std::array<double, 3>, 3>;

/// Sums from the first column on, as a plain loop does.
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) c[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
  return c;
}

double radians(double degrees) { return degrees * (3.14159265358979323846 / 180.0); }

/// min and max as NumPy finds them in data without NaN.
std::pair<float, float> range_of(std::span<const float> pixels) {
  const auto [low, high] = std::minmax_element(pixels.begin(), pixels.end());
  return {*low, *high};
}

void flip(const ImageSize& image, std::span<float> pixels, bool horizontal) {
  const std::int64_t rows = image.height, columns = image.width, channels = image.channels;
  const auto pixel = [&](std::int64_t i, std::int64_t j) { return pixels.begin() + static_cast<std::ptrdiff_t>((i * columns + j) * channels); };
  for (std::int64_t i = 0; i < (horizontal ? rows : rows / 2); ++i)
    for (std::int64_t j = 0; j < (horizontal ? columns / 2 : columns); ++j)
      std::swap_ranges(pixel(i, j), pixel(i, j) + static_cast<std::ptrdiff_t>(channels), horizontal ? pixel(i, columns - 1 - j) : pixel(rows - 1 - i, j));
}

/// Pillow's blend with a black image, in its f32 arithmetic; `value` is an 8-bit number.
int brighten(int value, float factor) {
  const float scaled = factor * static_cast<float>(value);
  return scaled <= 0 ? 0 : scaled >= 255 ? 255 : static_cast<int>(scaled);
}

void shift_brightness(double factor, std::span<float> pixels) {
  const auto [low, high] = range_of(pixels);
  // Outside [0, 255] the image is stretched to it, changed, and mapped back; each operation in f32, in Keras's order.
  const bool stretched = low < 0 || high > 255;
  const float top = high - low;
  for (float& pixel : pixels) {
    float value = pixel;
    if (stretched) {
      value = value - low;
      if (top != 0) value = value / top;
      value = value * 255.0f;
    }
    value = static_cast<float>(brighten(static_cast<int>(value), static_cast<float>(factor)));
    if (stretched) value = value / 255.0f * top + low;
    pixel = value;
  }
}

}  // namespace

bool AugmentationSpec::active() const {
  return rotation_range != 0 || height_shift_range != 0 || width_shift_range != 0 || shear_range != 0 || zoom_low != 1 || zoom_high != 1 ||
         channel_shift_range != 0 || brightness_range || horizontal_flip || vertical_flip;
}

Status check(const AugmentationSpec& spec, const ImageSize& image) {
  const auto refuse = [](const std::string& name, double value, const std::string& wanted) {
    return invalid_input("augmentation: " + name + " is " + std::to_string(value) + ", wanted " + wanted);
  };
  for (const auto& [name, value, largest] : {std::tuple{"rotation_range", spec.rotation_range, 0x1p20}, {"shear_range", spec.shear_range, 0x1p20},
                                             {"height_shift_range", spec.height_shift_range, 0x1p20}, {"width_shift_range", spec.width_shift_range, 0x1p20},
                                             {"channel_shift_range", spec.channel_shift_range, 0x1p20}})
    if (!(value >= 0 && value <= largest)) return refuse(name, value, "0 to 2^20");
  if (!(spec.zoom_low > 0 && spec.zoom_low <= spec.zoom_high && spec.zoom_high <= 0x1p20)) return refuse("zoom_low", spec.zoom_low, "0 < zoom_low <= zoom_high");
  if (!std::isfinite(spec.cval)) return refuse("cval", spec.cval, "a finite number");
  if (spec.brightness_range) {
    const auto [low, high] = *spec.brightness_range;
    if (!(low >= 0 && low <= high && high <= 0x1p20)) return refuse("brightness_range", low, "0 <= low <= high");
    if (image.channels != 1 && image.channels != 3)
      return invalid_input("augmentation: brightness_range goes through an 8-bit image of 1 or 3 channels; these have " + std::to_string(image.channels));
  }
  return {};
}

ImageTransform draw_transform(const AugmentationSpec& spec, const ImageSize& image, std::uint64_t seed, std::uint32_t epoch, std::int64_t index) {
  const std::uint64_t key = stream_key(seed, "augmentation");
  const auto draw = [&](Draw parameter) {
    const PhiloxWords words = philox4x32(static_cast<std::uint64_t>(index), static_cast<std::uint32_t>(parameter), epoch, key);
    return std::array{uniform(words.w[0], words.w[1]), uniform(words.w[2], words.w[3])};
  };
  ImageTransform t;
  if (spec.rotation_range != 0) t.theta = between(-spec.rotation_range, spec.rotation_range, draw(Draw::rotation)[0]);
  const auto shift = [&](double range, Draw parameter, std::int64_t size) {
    return between(-range, range, draw(parameter)[0]) * (range < 1 ? static_cast<double>(size) : 1.0);
  };
  if (spec.height_shift_range != 0) t.tx = shift(spec.height_shift_range, Draw::height_shift, image.height);
  if (spec.width_shift_range != 0) t.ty = shift(spec.width_shift_range, Draw::width_shift, image.width);
  if (spec.shear_range != 0) t.shear = between(-spec.shear_range, spec.shear_range, draw(Draw::shear)[0]);
  if (spec.zoom_low != 1 || spec.zoom_high != 1) {
    const auto u = draw(Draw::zoom);
    t.zx = between(spec.zoom_low, spec.zoom_high, u[0]);
    t.zy = between(spec.zoom_low, spec.zoom_high, u[1]);
  }
  if (spec.horizontal_flip || spec.vertical_flip) {
    const auto u = draw(Draw::flips);
    t.flip_horizontal = spec.horizontal_flip && u[0] < 0.5;
    t.flip_vertical = spec.vertical_flip && u[1] < 0.5;
  }
  if (spec.channel_shift_range != 0) t.channel_shift = between(-spec.channel_shift_range, spec.channel_shift_range, draw(Draw::channel_shift)[0]);
  if (spec.brightness_range) t.brightness = between((*spec.brightness_range)[0], (*spec.brightness_range)[1], draw(Draw::brightness)[0]);
  return t;
}

std::optional<AffineMap> affine_map(const ImageTransform& t, const ImageSize& image) {
  // Factors that are the identity are left out, as Keras does: to multiply by them would change no value, but the test for
  // "nothing to resample" must be the same.
  std::optional<Matrix> matrix;
  const auto then = [&matrix](const Matrix& factor) { matrix = matrix ? product(*matrix, factor) : factor; };
  if (t.theta != 0) {
    const double s = portable::sin(radians(t.theta)), c = portable::cos(radians(t.theta));
    then({{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}});
  }
  if (t.tx != 0 || t.ty != 0) then({{{1, 0, t.tx}, {0, 1, t.ty}, {0, 0, 1}}});
  if (t.shear != 0) then({{{1, -portable::sin(radians(t.shear)), 0}, {0, portable::cos(radians(t.shear)), 0}, {0, 0, 1}}});
  if (t.zx != 1 || t.zy != 1) then({{{t.zx, 0, 0}, {0, t.zy, 0}, {0, 0, 1}}});
  if (!matrix) return std::nullopt;
  const double x = static_cast<double>(image.height) / 2 - 0.5, y = static_cast<double>(image.width) / 2 - 0.5;
  const Matrix m = product(product({{{1, 0, x}, {0, 1, y}, {0, 0, 1}}}, *matrix), {{{1, 0, -x}, {0, 1, -y}, {0, 0, 1}}});
  // Columns 0 and 1 exchanged, then rows 0 and 1.
  return AffineMap{{{{m[1][1], m[1][0], m[1][2]}, {m[0][1], m[0][0], m[0][2]}}}};
}

void apply_transform(const ImageTransform& transform, FillMode mode, double cval, const ImageSize& image, std::span<float> pixels, std::span<float> scratch) {
  if (const auto map = affine_map(transform, image)) {
    resample_affine(pixels, scratch, image, *map, mode, cval);
    std::copy_n(scratch.begin(), pixels.size(), pixels.begin());
  }
  if (transform.channel_shift) {
    const auto [low, high] = range_of(pixels);
    const auto shift = static_cast<float>(*transform.channel_shift);
    for (float& pixel : pixels) pixel = std::clamp(pixel + shift, low, high);
  }
  if (transform.flip_horizontal) flip(image, pixels, true);
  if (transform.flip_vertical) flip(image, pixels, false);
  if (transform.brightness && (image.channels == 1 || image.channels == 3)) shift_brightness(*transform.brightness, pixels);
}

}  // namespace detbench
