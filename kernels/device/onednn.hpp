// What the rest of the house may ask of oneDNN without its headers. onednn.cpp answers where the library was found,
// onednn_absent.cpp where it was not.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/op.hpp"

namespace detbench {

inline constexpr const char* onednn_absent_reason =
    "this build has no oneDNN; install libdnnl-dev (scripts/setup.sh does) and build again";

/// Version of the library that is loaded, like "2.6.3"; nullopt where the build has none.
std::optional<std::string> onednn_version();

/// Copies a tensor from one layout to another with oneDNN's reorder. Unsupported: no oneDNN, a layout that it cannot
/// state, a type that it cannot move.
Result<std::unique_ptr<Plan>> plan_onednn_reorder(const TensorSpec& from, const TensorSpec& to, Device& device);

}  // namespace detbench
