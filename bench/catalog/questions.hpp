// Which convolutions a catalog asks about: those of a network, or one given by its id.
#pragma once

#include "bench/catalog/catalog.hpp"
#include "bench/suites/filter.hpp"

namespace detbench::catalog {

/// `same`: each network's own padding (Keras's, one-sided at stride 2 on even sizes). `symmetric`: kernel / 2 on every side,
/// as PyTorch's models have it.
enum class Padding { same, symmetric };

struct Questions {
  std::string model = "mobilenet_v2";
  double alpha = 1.0;
  int pixels = 224, batch = 128;
  Padding padding = Padding::same;
  std::vector<std::string> types{"f32", "f16", "bf16"};  ///< storage types, or types as case names spell them
  std::vector<std::string> layouts{"nhwc"};
  Filter filter;
};

Result<Padding> parse_padding(const std::string& text);

/// The problems without answers, in the order types, layout, direction, layer. A graph of f32 tensors is the same for strict
/// f32 and TF32, so "f32" is asked once, as f32_f32_tf32, and strictness is a choice among its engines. Errors: unknown
/// model, types or layout, a filter about algorithms, nothing that matches.
Result<std::vector<Entry>> pose(const Questions& questions);

/// "mobilenet_v2 alpha 1.0, 224 px, batch 128, padding same", or the id.
std::string source_of(const Questions& questions);

}  // namespace detbench::catalog
