#include "models/mobilenet_v2.hpp"

#include <charconv>

namespace detbench {
namespace {

/// _make_divisible(v, 8): to the nearest multiple of 8, at least 8, and never less than 90 % of v.
std::int64_t make_divisible(double v) {
  std::int64_t n = std::max<std::int64_t>(8, static_cast<std::int64_t>(v + 4) / 8 * 8);
  if (static_cast<double>(n) < 0.9 * v) n += 8;
  return n;
}

/// A stage of inverted residual blocks; only the first block of a stage has the stride.
struct Stage {
  std::int64_t expansion, filters, repeats, stride;
};
constexpr Stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

}  // namespace

std::string alpha_text(double alpha) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, alpha, std::chars_format::fixed).ptr;
  std::string shortest(text, end);
  return shortest.find('.') == std::string::npos ? shortest + ".0" : shortest;
}

Result<Network> make_mobilenet_v2(double alpha, std::int64_t pixels, std::int64_t classes, std::int64_t channels) {
  if (!(alpha > 0 && alpha <= 8)) return invalid_input("MobileNetV2's alpha is a number above 0 and at most 8, like 0.35");
  if (auto good = check_input("MobileNetV2", {32, 4096}, pixels, channels, classes); !good) return tl::unexpected(good.error());
  NetworkBuilder b("mobilenet_v2_alpha" + alpha_text(alpha), {pixels, pixels, channels}, classes);
  b.network().pixel_scale = 1 / 127.5, b.network().pixel_offset = -1;  // preprocess_input, mode "tf"

  int x = b.convolution("Conv1", 0, make_divisible(32 * alpha), 3, 2);
  x = b.batch_norm("bn_Conv1", x, Activation::relu6);
  int block = 0;
  for (const auto& stage : stages)
    for (std::int64_t repeat = 0; repeat < stage.repeats; ++repeat, ++block) {
      const std::string prefix = block == 0 ? "expanded_conv_" : "block_" + std::to_string(block) + "_";
      const std::int64_t stride = repeat == 0 ? stage.stride : 1;
      // Keras truncates filters*alpha to a whole number before rounding to a multiple of 8.
      const std::int64_t filters = make_divisible(static_cast<double>(static_cast<std::int64_t>(static_cast<double>(stage.filters) * alpha)));
      const int input = x;
      const std::int64_t width = b.size_of(input).channels;
      if (block > 0) {
        x = b.convolution(prefix + "expand", x, stage.expansion * width, 1, 1);
        x = b.batch_norm(prefix + "expand_BN", x, Activation::relu6);
      }
      x = b.depthwise(prefix + "depthwise", x, 3, stride);
      x = b.batch_norm(prefix + "depthwise_BN", x, Activation::relu6);
      x = b.convolution(prefix + "project", x, filters, 1, 1);
      x = b.batch_norm(prefix + "project_BN", x, Activation::none);
      if (stride == 1 && width == filters) x = b.add(prefix + "add", input, x);
    }
  x = b.convolution("Conv_1", x, alpha > 1.0 ? make_divisible(1280 * alpha) : 1280, 1, 1);
  x = b.batch_norm("Conv_1_bn", x, Activation::relu6);
  x = b.global_avg_pool("global_average_pooling2d", x);
  x = b.dense("predictions", x, classes);
  b.softmax_cross_entropy("loss", x);
  return b.take();
}

}  // namespace detbench
