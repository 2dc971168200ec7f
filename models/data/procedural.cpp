#include "models/data/procedural.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>

#include "kernels/tensor/philox.hpp"

namespace detbench {
namespace {

/// In [0, 1), 24 bits: exact in f32.
float unit(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }
float between(float low, float high, std::uint32_t word) { return low + (high - low) * unit(word); }
float magnitude(float x) { return x < 0 ? -x : x; }

/// A wave of period 1 between -1 and 1, made of straight lines: no sine is needed for a grating. x >= 0.
float triangle(float x) {
  const float fraction = x - static_cast<float>(static_cast<std::int32_t>(x));
  return 4 * magnitude(fraction - 0.5f) - 1;
}

/// What all images of a class share. Lengths in units of the image's smaller side.
struct ClassPattern {
  float step_row, step_column;  ///< periods of the grating per unit
  int shape;
  std::array<float, 4> grating, shape_colour;  ///< per channel, repeated every four
};

ClassPattern pattern_of(std::int64_t label, std::uint64_t key) {
  const PhiloxWords geometry = philox4x32(static_cast<std::uint64_t>(label), 0, 0, key), first = philox4x32(static_cast<std::uint64_t>(label), 1, 0, key),
                    second = philox4x32(static_cast<std::uint64_t>(label), 2, 0, key);
  ClassPattern p{};
  // Eight directions over the half circle (whole steps, so that few classes lie far apart) at a length that is drawn.
  constexpr float directions[8][2] = {{0, 1}, {0.4f, 0.9f}, {0.7f, 0.7f}, {0.9f, 0.4f}, {1, 0}, {0.9f, -0.4f}, {0.7f, -0.7f}, {0.4f, -0.9f}};
  const auto& direction = directions[(static_cast<std::uint64_t>(label) * 3 + geometry.w[3] % 2) % 8];
  const float frequency = between(2.0f, 5.0f, geometry.w[0]);
  p.step_row = direction[0] * frequency;
  p.step_column = direction[1] * frequency;
  p.shape = static_cast<int>(geometry.w[1] % 4);
  for (std::size_t k = 0; k < 4; ++k) {
    p.grating[k] = between(-55, 55, first.w[k]);
    p.shape_colour[k] = between(-80, 80, second.w[k]);
  }
  return p;
}

class ProceduralDataset final : public Dataset {
 public:
  explicit ProceduralDataset(const ProceduralSpec& spec)
      : spec_(spec), name_("procedural(seed=" + std::to_string(spec.seed) + ",noise=" + std::to_string(static_cast<int>(spec.noise)) + ")"),
        image_key_(stream_key(spec.seed, "procedural/image")) {
    const std::uint64_t class_key = stream_key(spec.seed, "procedural/class");
    for (std::int64_t c = 0; c < spec.classes; ++c) {
      patterns_.push_back(pattern_of(c, class_key));
      classes_.push_back("class_" + std::to_string(c));
    }
  }

  const std::string& name() const override { return name_; }
  ImageSize image() const override { return spec_.image; }
  std::int64_t size() const override { return spec_.count; }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return static_cast<std::int32_t>(index % spec_.classes); }

  Status read(std::int64_t index, std::span<float> pixels) const override {
    const ClassPattern& p = patterns_[static_cast<std::size_t>(label(index))];
    const auto [rows, columns, channels] = std::tuple{spec_.image.height, spec_.image.width, spec_.image.channels};
    const auto image = static_cast<std::uint64_t>(index);
    // Domain 0: the image's own numbers; domain 1: noise, one call per four numbers.
    const PhiloxWords a = philox4x32(image, 0, 0, image_key_), b = philox4x32(image, 1, 0, image_key_);
    const float phase = unit(a.w[0]), contrast = between(0.6f, 1.2f, a.w[1]), brightness = between(104, 152, a.w[2]);
    const float centre_row = between(0.3f, 0.7f, a.w[3]), centre_column = between(0.3f, 0.7f, b.w[0]), radius = between(0.16f, 0.26f, b.w[1]);
    const float sign = b.w[2] >> 31 ? 1.0f : -1.0f;  // a grating and its negative are one class
    const float scale = 1.0f / static_cast<float>(std::min(rows, columns)), noise = static_cast<float>(spec_.noise);
    PhiloxWords words{};
    std::uint32_t number = 0;
    float* out = pixels.data();
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        const float row = static_cast<float>(i) * scale, column = static_cast<float>(j) * scale;
        // 512 whole periods keep the argument positive for images up to 50 times as wide as high.
        const float wave = sign * triangle(512.0f + phase + (row * p.step_row + column * p.step_column));
        const bool inside = in_shape(p.shape, row - centre_row, column - centre_column, radius);
        for (std::int64_t k = 0; k < channels; ++k, ++number) {
          if (number % 4 == 0) words = philox4x32(image, number / 4, 1, image_key_);
          const auto colour = static_cast<std::size_t>(k % 4);
          const float value = brightness + contrast * (p.grating[colour] * wave + (inside ? p.shape_colour[colour] : 0.0f)) +
                              between(-noise, noise, words.w[number % 4]);
          // Whole numbers, as an image file holds them.
          *out++ = static_cast<float>(static_cast<std::int32_t>(std::clamp(value, 0.0f, 255.0f)));
        }
      }
    return {};
  }

 private:
  static bool in_shape(int shape, float row, float column, float radius) {
    const float r = magnitude(row), c = magnitude(column), square = row * row + column * column;
    switch (shape) {
      case 0: return square < radius * radius;
      case 1: return r < 0.85f * radius && c < 0.85f * radius;
      case 2: return r + c < 1.25f * radius;
      default: return square < 1.3f * radius * radius && square > 0.5f * radius * radius;
    }
  }

  ProceduralSpec spec_;
  std::string name_;
  std::uint64_t image_key_;
  std::vector<ClassPattern> patterns_;
  std::vector<std::string> classes_;
};

}  // namespace

Result<std::unique_ptr<Dataset>> make_procedural_dataset(const ProceduralSpec& spec) {
  const ImageSize& image = spec.image;
  if (image.height < 1 || image.width < 1 || image.channels < 1 || image.height > 4096 || image.width > 4096 || image.channels > 64 ||
      std::max(image.height, image.width) > 50 * std::min(image.height, image.width))
    return invalid_input("a procedural image has 1 to 4096 rows and columns, at most 50 times as long as wide, and 1 to 64 channels, not " +
                         std::to_string(image.height) + "x" + std::to_string(image.width) + "x" + std::to_string(image.channels));
  if (spec.classes < 2 || spec.classes > 1000) return invalid_input("a procedural set has 2 to 1000 classes, not " + std::to_string(spec.classes));
  if (spec.count < 1 || spec.count > 100'000'000) return invalid_input("a procedural set has 1 to 100000000 images, not " + std::to_string(spec.count));
  if (!(spec.noise >= 0 && spec.noise <= 255)) return invalid_input("procedural noise is 0 to 255, not " + std::to_string(spec.noise));
  return std::make_unique<ProceduralDataset>(spec);
}

}  // namespace detbench
