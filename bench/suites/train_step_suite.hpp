// Train steps: which are planned, and what a row of one reports beyond any other op.
#pragma once

#include <filesystem>
#include <optional>

#include "bench/core/measurement.hpp"
#include "kernels/op.hpp"
#include "models/train_step.hpp"

namespace detbench {

/// The policies that are read from the policy files (*.json) in `directory` as it is now, by name.
PolicySource policies_from_files(const std::filesystem::path& directory);

/// Binds the case, runs it under the observer and maps what it saw; nullopt for other ops and where that fails.
std::optional<TrainStepFacts> observe_train_step(const Registry& registry, const Problem& problem, const Algorithm& algorithm,
                                                 const Inputs& inputs, Device& device);

}  // namespace detbench
