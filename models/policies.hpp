// Policies that need no measurement: what a library or a framework would take, and ours in fixed order. Made by asking the
// providers, so that a selection names only what this build and machine can do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/selection/selection.hpp"
#include "models/network.hpp"

namespace detbench {

/// One of them.
struct BuiltInPolicy {
  std::string name;
  std::string demand;   ///< of Selection::demand: "none", "run_to_run" or "partition"
  std::string meaning;  ///< one line for `policy show` and reports
};

/// In the order in which reports list them:
///   library_heuristic                 what the library offers first
///   framework_default_deterministic   PyTorch's pinned algorithm per direction; else the library's first that claims run_to_run
///   first_workable_deterministic      TensorFlow 2.8 and later: the first of its list that works, deterministic ones only
///   tf_cudnn_deterministic            TF_CUDNN_DETERMINISTIC: convolution and max-pool as above, all else at its default
///   fixed_order                       ours end to end: same bits on every device
const std::vector<BuiltInPolicy>& built_in_policies();
/// nullptr: no such policy.
const BuiltInPolicy* find_built_in_policy(std::string_view name);

/// Every problem that training and running the network poses, each once, in the layouts that an nhwc network has. `types` as
/// in case names; a gradient of 16-bit weights is posed in both of its spellings (models/problems.hpp).
std::vector<Problem> posed_problems(const Network& network, std::int64_t batch, const std::string& types);

/// The selection of one policy for one network. Fails with
///   invalid_input  there is no policy of that name
///   unsupported    the policy has no meaning on this backend or for these types, or it is strict and an op cannot meet its
///                  demand: the reason names policy, op and problem, and what each provider said
/// Ops that `registry` does not hold are left to the planner, which refuses them by name.
Result<Selection> built_in_selection(std::string_view policy, const Network& network, std::int64_t batch, const std::string& types,
                                     const Registry& registry, Device& device);

}  // namespace detbench
