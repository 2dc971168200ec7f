// Which problems meet which algorithms: the suites of DESIGN section 6 for a profile and a filter.
#pragma once

#include "bench/suites/filter.hpp"
#include "bench/suites/profile.hpp"
#include "bench/workers/sweep.hpp"

namespace detbench {

/// The controls, measured first with every run.
PlannedComparison plan_controls();

/// The ceilings, then convolution, dense and batch-norm problems of the profile's network, reductions and scatter-adds; or, when the
/// filter is an id, that one problem, whether or not a suite holds it. Train steps are planned apart, because their
/// algorithms are policies made from what these find.
Result<std::vector<PlannedComparison>> plan_comparisons(const Registry& registry, const Profile& profile, const Filter& filter);
Result<std::vector<PlannedComparison>> plan_networks(const Registry& registry, const Profile& profile, const Filter& filter);

/// Suites whose problems are whole networks: they wait for the policies that the layers' measurements make.
bool is_whole_network(const std::string& suite);

/// The suite an op belongs to: "convolution", "dense", "batch_norm", "reduction", "scatter_add", "resize", "ceilings", "train_step", "inference", "other". (Suite "ablation" holds no op: bench/suites/ablation.hpp.)
std::string suite_of(const std::string& op);
/// The same, and "ceilings" for a square matrix product.
std::string suite_of(const Problem& problem);

}  // namespace detbench
