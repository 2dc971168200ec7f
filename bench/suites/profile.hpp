// The profiles of DESIGN section 11: how much of everything a run does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench {

struct TrainStepSetting {
  double alpha = 1.0;
  int pixels = 224;
  int batch = 8;
};

struct Profile {
  ProfileInfo info;
  double alpha = 1.0;                 ///< of the MobileNetV2 whose layers are swept
  int batch = 2, pixels = 96;         ///< of the layers
  bool few_layers = false;            ///< stem, depthwise, pointwise and classifier only
  std::vector<std::string> layouts;   ///< of the convolution problems
  std::vector<std::string> types;
  std::vector<std::int64_t> sum_elements;
  std::vector<std::pair<std::int64_t, std::int64_t>> scatter;  ///< updates, bins
  std::vector<TrainStepSetting> train_steps;
};

/// nullopt: no such profile.
std::optional<Profile> find_profile(std::string_view name);
/// "smoke, quick, standard, full".
std::string profile_names();

}  // namespace detbench
