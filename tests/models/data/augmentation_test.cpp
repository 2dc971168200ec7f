#include "models/data/augmentation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/data/resize.hpp"

namespace detbench {
namespace {

/// Written by scripts/keras_reference/augmentation.py with the real ImageDataGenerator and Pillow.
const nlohmann::json& fixture() {
  static const nlohmann::json document = [] {
    std::ifstream file(DETBENCH_AUGMENTATION_FIXTURE);
    return nlohmann::json::parse(file);
  }();
  return document;
}

ImageSize size_of(const nlohmann::json& shape) { return {shape[0], shape[1], shape[2]}; }

ImageTransform transform_of(const nlohmann::json& parameters) {
  ImageTransform t;
  t.theta = parameters.value("theta", 0.0);
  t.tx = parameters.value("tx", 0.0);
  t.ty = parameters.value("ty", 0.0);
  t.shear = parameters.value("shear", 0.0);
  t.zx = parameters.value("zx", 1.0);
  t.zy = parameters.value("zy", 1.0);
  t.flip_horizontal = parameters.value("flip_horizontal", false);
  t.flip_vertical = parameters.value("flip_vertical", false);
  if (parameters.contains("channel_shift_intensity")) t.channel_shift = parameters["channel_shift_intensity"].get<double>();
  if (parameters.contains("brightness")) t.brightness = parameters["brightness"].get<double>();
  return t;
}

TEST(AugmentationAgainstKeras, EveryParameterAndFillMode) {
  ASSERT_GT(fixture().at("cases").size(), 150u);
  std::size_t compared = 0, moved = 0;
  for (const auto& one : fixture().at("cases")) {
    const auto& image = fixture().at("images").at(one.at("image").get<std::size_t>());
    const ImageSize size = size_of(image.at("shape"));
    const auto before = image.at("pixels").get<std::vector<float>>(), expected = one.at("pixels").get<std::vector<float>>();
    std::vector<float> pixels = before, scratch(before.size());
    const auto mode = parse_fill_mode(one.at("fill_mode").get<std::string>());
    ASSERT_TRUE(mode);
    apply_transform(transform_of(one.at("parameters")), *mode, fixture().at("cval"), size, pixels, scratch);
    ASSERT_EQ(pixels.size(), expected.size());
    for (std::size_t i = 0; i < pixels.size(); ++i, ++compared) {
      // One rounding to f32, of coordinates that differ by roundings of f64.
      ASSERT_NEAR(pixels[i], expected[i], 0x1p-23 * std::max(1.0f, std::abs(expected[i])))
          << one.at("image") << " " << one.at("fill_mode") << " " << one.at("parameters") << " element " << i;
      moved += expected[i] != before[i];
    }
  }
  EXPECT_GT(moved * 10, compared * 8);
}

TEST(AugmentationAgainstKeras, ResizesArePillows) {
  ASSERT_EQ(fixture().at("resizes").size(), 6u);
  ResizeScratch scratch;
  for (const auto& one : fixture().at("resizes")) {
    const ByteImage source{size_of(one.at("shape")), one.at("source").get<std::vector<std::uint8_t>>()};
    const ImageSize target{one.at("height"), one.at("width"), source.size.channels};
    const auto expected = one.at("pixels").get<std::vector<float>>();
    std::vector<float> pixels(expected.size());
    resize(source, target, *parse_resize_method(one.at("method").get<std::string>()), pixels, scratch);
    EXPECT_EQ(pixels, expected) << one.at("method") << " " << one.at("height") << "x" << one.at("width");
  }
}

constexpr ImageSize image{6, 9, 3};

AugmentationSpec everything() {
  AugmentationSpec spec;
  spec.rotation_range = 20;
  spec.height_shift_range = 0.25;
  spec.width_shift_range = 3;
  spec.shear_range = 10;
  spec.zoom_low = 0.8;
  spec.zoom_high = 1.25;
  spec.channel_shift_range = 30;
  spec.brightness_range = {{0.5, 1.5}};
  spec.horizontal_flip = spec.vertical_flip = true;
  return spec;
}

TEST(Augmentation, DrawsStayInTheirRangesAndFillThem) {
  const AugmentationSpec spec = everything();
  double theta = 0, tx = 0, ty = 0, shear = 0, low = 2, high = 0, shift = 0, dark = 2, bright = 0;
  int flips[2] = {0, 0};
  constexpr int n = 4000;
  for (int i = 0; i < n; ++i) {
    const ImageTransform t = draw_transform(spec, image, 7, 3, i);
    theta = std::max(theta, std::abs(t.theta));
    tx = std::max(tx, std::abs(t.tx));
    ty = std::max(ty, std::abs(t.ty));
    shear = std::max(shear, std::abs(t.shear));
    low = std::min({low, t.zx, t.zy});
    high = std::max({high, t.zx, t.zy});
    shift = std::max(shift, std::abs(*t.channel_shift));
    dark = std::min(dark, *t.brightness);
    bright = std::max(bright, *t.brightness);
    flips[0] += t.flip_horizontal;
    flips[1] += t.flip_vertical;
  }
  const auto reaches = [](double largest, double range) { return largest <= range && largest > 0.99 * range; };
  EXPECT_TRUE(reaches(theta, 20) && reaches(tx, 0.25 * 6) && reaches(ty, 3) && reaches(shear, 10) && reaches(shift, 30));
  EXPECT_TRUE(low >= 0.8 && low < 0.81 && high <= 1.25 && high > 1.24 && dark >= 0.5 && dark < 0.51 && bright <= 1.5 && bright > 1.49);
  for (const int count : flips) EXPECT_NEAR(count, n / 2, 5 * std::sqrt(n) / 2);
}

TEST(Augmentation, ADrawDependsOnSeedEpochAndImageAndOnNoOtherRange) {
  const AugmentationSpec spec = everything();
  const double theta = draw_transform(spec, image, 7, 3, 11).theta;
  EXPECT_EQ(draw_transform(spec, image, 7, 3, 11).theta, theta);
  EXPECT_NE(draw_transform(spec, image, 8, 3, 11).theta, theta);
  EXPECT_NE(draw_transform(spec, image, 7, 4, 11).theta, theta);
  EXPECT_NE(draw_transform(spec, image, 7, 3, 12).theta, theta);
  AugmentationSpec rotation;
  rotation.rotation_range = 20;
  EXPECT_EQ(draw_transform(rotation, image, 7, 3, 11).theta, theta);
  EXPECT_FALSE(affine_map(draw_transform({}, image, 7, 3, 11), image));
}

TEST(Augmentation, AHeightShiftMovesColumnsAsKerasDoes) {
  ImageTransform t;
  t.tx = 1;
  constexpr ImageSize grey{2, 3, 1};
  std::vector<float> pixels{1, 2, 3, 4, 5, 6}, scratch(6);
  apply_transform(t, FillMode::constant, 9, grey, pixels, scratch);
  EXPECT_EQ(pixels, (std::vector<float>{2, 3, 9, 5, 6, 9}));
}

TEST(Augmentation, WildMapsStayInTheImage) {
  // Coordinates far outside, infinite or NaN must neither read outside nor be undefined; -fsanitize would tell.
  for (const FillMode mode : {FillMode::nearest, FillMode::constant, FillMode::reflect, FillMode::wrap})
    for (const double wild : {1e300, -1e300, 1e18, -1e18, std::nan(""), HUGE_VAL, -HUGE_VAL, 1e9 + 0.5})
      for (const ImageSize size : {image, ImageSize{1, 1, 3}, ImageSize{1, 5, 3}}) {
        const std::vector<float> source(static_cast<std::size_t>(size.height * size.width * size.channels), 3.0f);
        std::vector<float> target(source.size(), 0.0f);
        resample_affine(source, target, size, {{{{1, wild, wild}, {0, 1, wild}}}}, mode, 5);
        for (const float value : target) EXPECT_TRUE((value > 2.999f && value < 3.001f) || value == 5) << value;
      }
}

TEST(Augmentation, RefusesByName) {
  const auto reason = [](auto change) {
    AugmentationSpec spec = everything();
    change(spec);
    const Status status = check(spec, image);
    return status ? std::string() : status.error().text;
  };
  EXPECT_EQ(reason([](AugmentationSpec&) {}), "");
  EXPECT_NE(reason([](AugmentationSpec& s) { s.rotation_range = -1; }).find("rotation_range"), std::string::npos);
  EXPECT_NE(reason([](AugmentationSpec& s) { s.shear_range = std::nan(""); }).find("shear_range"), std::string::npos);
  EXPECT_NE(reason([](AugmentationSpec& s) { s.zoom_low = 0; }).find("zoom_low"), std::string::npos);
  EXPECT_NE(reason([](AugmentationSpec& s) { s.brightness_range = {{2, 1}}; }).find("brightness_range"), std::string::npos);
  EXPECT_FALSE(check(everything(), {8, 8, 2}));
}

}  // namespace
}  // namespace detbench
