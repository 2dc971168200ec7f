#include "models/initializers.hpp"

#include <algorithm>
#include <cmath>

namespace detbench {
namespace {

/// The standard deviation of a standard normal distribution cut at two deviations, as Keras writes it.
constexpr double truncated_deviation = 0.87962566103423978;

}  // namespace

Fans keras_fans(const Shape& shape) {
  if (shape.size() == 2) return {static_cast<double>(shape[1]), static_cast<double>(shape[0])};
  const std::int64_t groups = shape[0], out = shape[1], window = shape[2] * shape[3], in = shape[4];
  const bool depthwise = groups > 1 && in == 1;  // Keras's kernel is then (kh, kw, groups, out)
  return {static_cast<double>(window * (depthwise ? groups : in)), static_cast<double>(window * (depthwise ? out : out * groups))};
}

FillSpec initial_fill(const Network& network, const Parameter& parameter, std::uint64_t seed) {
  using Kind = FillSpec::Kind;
  const auto fill = [&](Kind kind, double scale) { return FillSpec{kind, seed, "weights/" + parameter.name, scale, 1, 1.0}; };
  if (parameter.role != "kernel") return fill(Kind::constant, parameter.role == "gamma" ? 1.0 : 0.0);
  const auto fans = keras_fans(parameter.shape);
  if (network.initialization == Initialization::glorot_uniform) return fill(Kind::uniform, std::sqrt(6.0 / (fans.in + fans.out)));
  const auto& layer = network.layers[parameter.layer];
  // VarianceScaling(1/3, "fan_out", "uniform") and VarianceScaling(2, "fan_out", ...), in Keras's order of operations.
  if (layer.kind == LayerKind::dense && !layer.as_convolution) return fill(Kind::uniform, std::sqrt(3.0 * (1.0 / 3.0 / std::max(1.0, fans.out))));
  const double deviation = std::sqrt(2.0 / std::max(1.0, fans.out));
  if (network.initialization == Initialization::efficientnet_lite) return fill(Kind::normal, deviation);
  return fill(Kind::truncated_normal, deviation / truncated_deviation);
}

}  // namespace detbench
