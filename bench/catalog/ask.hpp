// The questions that go to cuDNN itself. They load it into the calling process, where it can crash: survey.hpp asks them in
// child processes.
#pragma once

#include <map>

#include "bench/catalog/catalog.hpp"
#include "bench/catalog/isolated.hpp"

namespace detbench::catalog {

/// Whom a catalog asks.
struct TargetFacts {
  std::string cudnn_version, arch, device;
  bool asked_device = false;
  DriverLibrary driver = DriverLibrary::absent;
};

/// `arch` is "sm_90" or another that is known, or "device" for the GPU in this machine. Unsupported: this build or machine
/// has no cuDNN; the reason says the remedy.
Result<TargetFacts> describe_target(const std::string& arch);

/// Steps that are not to be asked again, with the reason: "engine 17" -> "died of signal 11 (...)".
using SkippedSteps = std::map<std::string, std::string>;
std::string engine_step(std::int64_t engine);
std::string heuristic_step(HeuristicMode mode);

/// Everything about one convolution: each engine with its default configuration, and the three rankings. Announces each
/// step before it. A skipped engine is `crashed`, a skipped ranking has its reason.
Result<Entry> ask(const Problem& problem, const std::string& arch, const SkippedSteps& skipped, const Announce& announce);

}  // namespace detbench::catalog
