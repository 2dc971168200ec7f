// Small fused problems: the convolutions' small shapes with either pattern behind them.
#pragma once

#include "kernels/fused_convolution/problem.hpp"
#include "tests/kernels/convolution/shapes.hpp"

namespace detbench::testing {

inline std::vector<FusedConvolutionProblem> small_fused(FusedPattern pattern, DataType storage = DataType::f32, const std::string& layout = "nhwc") {
  std::vector<FusedConvolutionProblem> problems;
  for (const auto& shape : small_shapes()) {
    FusedConvolutionProblem p;
    static_cast<ConvolutionProblem&>(p) = shape;
    p.pattern = pattern;
    p.types.storage = storage;
    p.layout = layout;
    problems.push_back(p);
  }
  return problems;
}

}  // namespace detbench::testing
