// The profiles of DESIGN section 11: how much of everything a run does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/records/record.hpp"
#include "bench/suites/other_problems.hpp"
#include "bench/suites/reduction_problems.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// One network at one size: its layers are swept, and where `trains` is set it is trained as a step.
struct NetworkSetting {
  std::string model = "mobilenet_v2_alpha1.0";  ///< of models/catalog.hpp
  int pixels = 224;
  int batch = 8;
  bool sweep_layers = true;
  bool trains = true;
};

struct Profile {
  ProfileInfo info;
  std::string backend = "cpu";
  AlgorithmSearch search;             ///< how far GPU libraries are searched; oneDNN's implementations are few and all taken
  /// Layers are swept at the very size at which the network trains, so that policies choose from the problems that the
  /// step will pose.
  std::vector<NetworkSetting> networks;
  /// Ops longer than this are not probed with more threads than cores (bench/core/probe.hpp).
  double oversubscribe_limit_s = 1e9;
  std::uint32_t most_batches = 100;   ///< configurations of scope `batch`, where ProfileInfo has more
  /// Whether layout "blocked" is probed in `batch` too: its arms are those with formats=any once more, without reorders.
  bool batches_of_blocked = true;
  bool few_layers = false;            ///< stem, depthwise, pointwise and classifier only
  std::vector<std::string> layouts;   ///< of the convolution problems
  std::vector<std::string> types;
  std::vector<std::string> network_types = {"f32_f32_strict"};  ///< of train steps and inference
  std::vector<int> inference_batches;                          ///< of the networks that train; each with policies that were chosen for their step
  Breadth others = Breadth::none;     ///< ops beside convolution, dense and batch norm
  ReductionSweep reductions = ReductionSweep::smoke;
};

/// nullopt: no such profile, or no such backend ("cpu", "cuda"). A GPU takes larger problems, its own types and layouts.
std::optional<Profile> find_profile(std::string_view name, std::string_view backend);
/// The same with one-line refusals, and with the tiers of `search` ("t0,t1") where it is not empty.
Result<Profile> profile_of(std::string_view name, std::string_view backend, std::string_view search);
/// "smoke, quick, standard, full".
std::string profile_names();

}  // namespace detbench
