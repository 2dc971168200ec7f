#include "models/efficientnet.hpp"

#include <algorithm>
#include <cmath>

namespace detbench {
namespace {

/// DEFAULT_BLOCKS_ARGS; only the first block of a stage has the stride.
struct Stage {
  std::int64_t kernel, repeats, filters_in, filters_out, expansion, stride;
};
constexpr Stage stages[] = {{3, 1, 32, 16, 1, 1},  {3, 2, 16, 24, 6, 2},   {5, 2, 24, 40, 6, 2},  {3, 3, 40, 80, 6, 2},
                            {5, 3, 80, 112, 6, 1}, {5, 4, 112, 192, 6, 2}, {3, 1, 192, 320, 6, 1}};
constexpr int stage_count = static_cast<int>(std::size(stages));
constexpr double squeeze_ratio = 0.25, drop_connect_rate = 0.2;

/// The nearest multiple of 8 to filters * width, at least 8 and never less than 90 % of it.
std::int64_t round_filters(std::int64_t filters, double width) {
  const double scaled = static_cast<double>(filters) * width;
  std::int64_t rounded = std::max<std::int64_t>(8, static_cast<std::int64_t>(scaled + 4) / 8 * 8);
  if (static_cast<double>(rounded) < 0.9 * scaled) rounded += 8;
  return rounded;
}

std::int64_t repeats_of(const EfficientNetVariant& v, int stage) {
  const bool kept = v.family == EfficientNetFamily::lite && (stage == 0 || stage == stage_count - 1);
  return kept ? stages[stage].repeats : static_cast<std::int64_t>(std::ceil(v.depth * static_cast<double>(stages[stage].repeats)));
}

class Builder {
 public:
  Builder(const EfficientNetVariant& v, std::int64_t pixels, std::int64_t classes, std::int64_t channels)
      : v_(v), lite_(v.family == EfficientNetFamily::lite), act_(lite_ ? Activation::relu6 : Activation::swish), b_(v.name, {pixels, pixels, channels}, classes) {
    b_.network().momentum = 0.99;
    b_.network().initialization = lite_ ? Initialization::efficientnet_lite : Initialization::efficientnet;
  }

  Network build() {
    int x = lite_ ? b_.rescaling("rescaling", 0, 1.0 / 128, -127.0 / 128) : b_.rescaling("rescaling", 0, 1.0 / 255, 0);
    if (!lite_) x = b_.normalization("normalization", x);
    x = b_.convolution("stem_conv", x, fixed_width(32), 3, 2);
    x = b_.batch_norm("stem_bn", x, act_);
    std::int64_t blocks = 0, block = 0;
    for (int s = 0; s < stage_count; ++s) blocks += repeats_of(v_, s);
    for (int s = 0; s < stage_count; ++s)
      for (std::int64_t r = 0; r < repeats_of(v_, s); ++r, ++block) {
        const std::string prefix = "block" + std::to_string(s + 1) + static_cast<char>('a' + r) + "_";
        // The product first, as Keras has it: 0.2 * b / N and 0.2 * (b / N) round differently.
        x = add_block(prefix, stages[s], r == 0 ? stages[s].stride : 1, drop_connect_rate * static_cast<double>(block) / static_cast<double>(blocks), x);
      }
    x = b_.convolution("top_conv", x, fixed_width(1280), 1, 1);
    x = b_.batch_norm("top_bn", x, act_);
    x = b_.global_avg_pool("avg_pool", x);
    x = b_.dropout("top_dropout", x, v_.dropout, false);
    x = b_.dense("predictions", x, b_.network().classes);
    b_.softmax_cross_entropy("loss", x);
    return b_.take();
  }

 private:
  /// Lite keeps stem and top as they are in B0.
  std::int64_t fixed_width(std::int64_t filters) const { return lite_ ? filters : round_filters(filters, v_.width); }

  int add_block(const std::string& prefix, const Stage& stage, std::int64_t stride, double drop_rate, int input) {
    int x = input;
    const std::int64_t width_in = b_.size_of(input).channels, filters = round_filters(stage.filters_out, v_.width);
    if (stage.expansion != 1) {
      x = b_.convolution(prefix + "expand_conv", x, width_in * stage.expansion, 1, 1);
      x = b_.batch_norm(prefix + "expand_bn", x, act_);
    }
    x = b_.depthwise(prefix + "dwconv", x, stage.kernel, stride);
    x = b_.batch_norm(prefix + "bn", x, act_);
    if (!lite_) x = squeeze_excite(prefix, x, width_in);
    x = b_.convolution(prefix + "project_conv", x, filters, 1, 1);
    x = b_.batch_norm(prefix + "project_bn", x, Activation::none);
    if (stride != 1 || width_in != filters) return x;
    if (drop_rate > 0) x = b_.dropout(prefix + "drop", x, drop_rate, true);
    return b_.add(prefix + "add", x, input);
  }

  /// Squeezed to a quarter of the block's width before expansion, not of the width it works on.
  int squeeze_excite(const std::string& prefix, int x, std::int64_t width_in) {
    const std::int64_t squeezed = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(width_in) * squeeze_ratio));
    int s = b_.global_avg_pool(prefix + "se_squeeze", x);
    s = b_.dense(prefix + "se_reduce", s, squeezed, true);
    s = b_.activation(prefix + "se_reduce_activation", s, act_);
    s = b_.dense(prefix + "se_expand", s, b_.size_of(x).channels, true);
    s = b_.activation(prefix + "se_expand_activation", s, Activation::sigmoid);
    return b_.scale_channels(prefix + "se_excite", x, s);
  }

  const EfficientNetVariant& v_;
  bool lite_;
  Activation act_;
  NetworkBuilder b_;
};

}  // namespace

const std::vector<EfficientNetVariant>& efficientnet_variants() {
  using enum EfficientNetFamily;
  static const std::vector<EfficientNetVariant> all = {
      {"efficientnet_b0", b, 1.0, 1.0, 224, 0.2},       {"efficientnet_b1", b, 1.0, 1.1, 240, 0.2},       {"efficientnet_b2", b, 1.1, 1.2, 260, 0.3},
      {"efficientnet_b3", b, 1.2, 1.4, 300, 0.3},       {"efficientnet_b4", b, 1.4, 1.8, 380, 0.4},       {"efficientnet_b5", b, 1.6, 2.2, 456, 0.4},
      {"efficientnet_b6", b, 1.8, 2.6, 528, 0.5},       {"efficientnet_b7", b, 2.0, 3.1, 600, 0.5},       {"efficientnet_lite0", lite, 1.0, 1.0, 224, 0.2},
      {"efficientnet_lite1", lite, 1.0, 1.1, 240, 0.2}, {"efficientnet_lite2", lite, 1.1, 1.2, 260, 0.3}, {"efficientnet_lite3", lite, 1.2, 1.4, 280, 0.3},
      {"efficientnet_lite4", lite, 1.4, 1.8, 300, 0.3}};
  return all;
}

Result<Network> make_efficientnet(const EfficientNetVariant& variant, std::int64_t pixels, std::int64_t classes, std::int64_t channels) {
  if (auto good = check_input(variant.name, {32, 4096}, pixels, channels, classes); !good) return tl::unexpected(good.error());
  return Builder(variant, pixels, classes, channels).build();
}

}  // namespace detbench
