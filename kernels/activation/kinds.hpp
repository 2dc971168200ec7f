// The activations that networks use, by name; part of op names ("batch_norm_swish_fwd", "sigmoid_bwd").
#pragma once

#include <string_view>

namespace detbench {

enum class Activation { none, relu, relu6, swish, sigmoid };

/// "none", "relu", "relu6", "swish", "sigmoid".
constexpr std::string_view to_text(Activation activation) {
  switch (activation) {
    case Activation::relu: return "relu";
    case Activation::relu6: return "relu6";
    case Activation::swish: return "swish";
    case Activation::sigmoid: return "sigmoid";
    case Activation::none: break;
  }
  return "none";
}

}  // namespace detbench
