#include "models/initializers.hpp"

#include <cmath>

namespace detbench {

double glorot_uniform_limit(const Shape& shape) {
  double fan_in = 0, fan_out = 0;
  if (shape.size() == 2) {
    fan_in = static_cast<double>(shape[1]), fan_out = static_cast<double>(shape[0]);
  } else {
    const std::int64_t groups = shape[0], out = shape[1], window = shape[2] * shape[3], in = shape[4];
    const bool depthwise = groups > 1 && in == 1;  // Keras's kernel is then (kh, kw, groups, out)
    fan_in = static_cast<double>(window * (depthwise ? groups : in));
    fan_out = static_cast<double>(window * (depthwise ? out : out * groups));
  }
  return std::sqrt(6.0 / (fan_in + fan_out));
}

FillSpec initial_fill(const Parameter& parameter, std::uint64_t seed) {
  const std::string stream = "weights/" + parameter.name;
  if (parameter.role == "kernel") return {FillSpec::Kind::uniform, seed, stream, glorot_uniform_limit(parameter.shape), 1, 1.0};
  return {FillSpec::Kind::constant, seed, stream, parameter.role == "gamma" ? 1.0 : 0.0, 1, 1.0};
}

}  // namespace detbench
