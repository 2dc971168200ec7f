// An engine with values for its knobs: what an algorithm of the graph API is, and what its name says.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cudnn/engines.hpp"

namespace detbench::cudnn {

/// A knob that is not named is the engine's own choice ("auto"; the plan's JSON stores -1).
struct Configuration {
  std::int64_t engine = 0;
  std::map<int, std::int64_t> knobs;  ///< cudnnBackendKnobType_t -> value
  auto operator<=>(const Configuration&) const = default;
};

/// "eng0", "eng20[TILE_SIZE=3;USE_TEX=0]": knobs sorted by name.
std::string to_text(const Configuration& configuration);
/// The inverse; knobs in any order. One line that says what is wrong otherwise.
Result<Configuration> parse_configuration(std::string_view text);

enum class Support {
  valid,
  unsupported,
  unknown,  ///< cannot be said here: no driver library for an engine that is compiled at run time, or no device
};
std::string_view to_text(Support support);

/// What the library says to a configuration. Finalizing it is the true support check: it validates the combination of
/// knobs, which no range does.
struct Checked {
  Support support = Support::unsupported;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  std::string reason;                          ///< empty when valid
  std::int64_t workspace_bytes = 0;            ///< of a valid one
  std::optional<std::int32_t> shared_memory_bytes;  ///< answered by engines that are compiled at run time
  Descriptor descriptor;                       ///< the finalized configuration
};

/// `engine` must have finalized; else its own status is told.
Checked check(const Engine& engine, const Configuration& configuration);
/// The finalize status alone, for searches that ask about many: about 10 to 60 microseconds for a precompiled engine.
cudnnStatus_t check_quickly(const Engine& engine, const Configuration& configuration);

/// Which of the three a status means; `engine` says whether it is compiled at run time.
Support support_of(cudnnStatus_t status, const Engine& engine);

}  // namespace detbench::cudnn
