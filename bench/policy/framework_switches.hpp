// The switches of a framework that come nearest to a policy file, and what they cannot express. What each switch does was read in
// the frameworks' own source and documentation (PyTorch's Conv_v7.cpp and Conv_v8.cpp, TensorFlow's cuDNN wrapper of 2.13, XLA's
// xla.proto); other versions may differ.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/result.hpp"
#include "kernels/selection/selection.hpp"

namespace detbench {

struct FrameworkSwitches {
  std::string framework;
  /// The switches do exactly what the file says for convolutions; false: they only come near.
  bool exact_for_convolutions = false;
  std::vector<std::string> environment;  ///< "NAME=value", to be set before the program starts
  std::vector<std::string> code;         ///< lines of Python
  std::vector<std::string> limits;       ///< what they cannot express, or do besides
};

/// "pytorch", "tensorflow" or "jax"; anything else is refused in one line.
Result<FrameworkSwitches> switches_for(std::string_view framework, const Selection& selection);

}  // namespace detbench
