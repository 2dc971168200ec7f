// The profiles of DESIGN section 11: how much of everything a run does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench {

/// One network at one size: its layers are swept, and where `trains` is set it is trained as a step.
struct NetworkSetting {
  double alpha = 1.0;                 ///< of MobileNetV2
  int pixels = 224;
  int batch = 8;
  bool sweep_layers = true;
  bool trains = true;
};

struct Profile {
  ProfileInfo info;
  /// Layers are swept at the very size at which the network trains, so that policies choose from the problems that the
  /// step will pose.
  std::vector<NetworkSetting> networks;
  /// Ops longer than this are not probed with more threads than cores (bench/core/probe.hpp).
  double oversubscribe_limit_s = 1e9;
  bool few_layers = false;            ///< stem, depthwise, pointwise and classifier only
  std::vector<std::string> layouts;   ///< of the convolution problems
  std::vector<std::string> types;
  std::vector<std::int64_t> sum_elements;
  std::vector<std::pair<std::int64_t, std::int64_t>> scatter;  ///< updates, bins
};

/// nullopt: no such profile.
std::optional<Profile> find_profile(std::string_view name);
/// "smoke, quick, standard, full".
std::string profile_names();

}  // namespace detbench
