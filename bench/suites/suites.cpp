#include "bench/suites/suites.hpp"

#include <algorithm>

#include "bench/suites/ceiling_problems.hpp"
#include "bench/suites/other_problems.hpp"
#include "kernels/convolution/problem.hpp"
#include "models/catalog.hpp"
#include "models/problems.hpp"
#include "models/step_problem.hpp"

namespace detbench {
namespace {

constexpr std::int64_t control_elements = 65536;

/// As many as the model was published with: 1000 of ImageNet, 10 for the small ones.
std::int64_t classes_of(const std::string& model) {
  for (const auto& entry : models())
    if (entry.name == model) return entry.classes;
  return 1000;
}

void add(std::vector<PlannedComparison>& all, const Filter& filter, Problem problem, std::vector<std::string> used_by) {
  const auto suite = suite_of(problem);
  if (filter.accepts(suite, problem, used_by)) all.push_back({std::move(problem), suite, std::move(used_by), true, 1, {}});
}

/// A network's price is the figure people quote and costs few samples, so its intervals get three times the blocks.
constexpr std::uint32_t train_step_block_factor = 3;

/// The four layers of `smoke`: stem, depthwise, pointwise and classifier; batch norm where it follows them.
bool is_one_of_few(const std::vector<std::string>& layers) {
  return std::any_of(layers.begin(), layers.end(), [](const std::string& layer) {
    for (const char* few : {"Conv1", "block_1_depthwise", "block_1_expand", "predictions", "block_1_depthwise_BN"})
      if (layer == few) return true;
    return false;
  });
}

void add_posed(std::vector<PlannedComparison>& all, const Filter& filter, const Network& network, LayerProblem posed) {
  std::vector<std::string> used_by;
  for (const auto& layer : posed.layers) used_by.push_back(network.name + ":" + layer);
  add(all, filter, std::move(posed.problem), std::move(used_by));
}

void add_layers(std::vector<PlannedComparison>& all, const Profile& profile, const NetworkSetting& setting, const Network& network,
                const Filter& filter) {
  // cuDNN writes 16-bit gradients of weights, and hardly any of its kernels f32 ones.
  const auto gradients = profile.backend == "cuda" ? WeightGradients::as_data : WeightGradients::f32;
  for (const auto& types : profile.types)
    for (const auto& layout : profile.layouts)
      for (auto& posed : network_problems(network, setting.batch, types, layout, gradients)) {
        if (profile.few_layers && !is_one_of_few(posed.layers)) continue;
        add_posed(all, filter, network, std::move(posed));
      }
}

void add_others(std::vector<PlannedComparison>& all, const Profile& profile, const NetworkSetting& setting, const Network& network,
                const Filter& filter) {
  for (const auto& layout : profile.layouts)
    if (layout != "blocked")
      for (auto& posed : other_problems(network, setting.batch, profile.types, layout, profile.others)) add_posed(all, filter, network, std::move(posed));
}

/// The case of the TensorFlow articles about nondeterminism: 28x28x3 to 16 channels, 3x3 (the batch is ours).
void add_tutorial_case(std::vector<PlannedComparison>& all, const Profile& profile, const Filter& filter) {
  for (Direction direction : all_directions)
    for (const auto& layout : profile.layouts) {
      ConvolutionProblem problem;
      problem.mb = 8;
      problem.ic = 3;
      problem.ih = problem.iw = 28;
      problem.oc = 16;
      problem.kh = problem.kw = 3;
      problem.pt = problem.pb = problem.pl = problem.pr = 1;
      problem.direction = direction;
      problem.layout = layout;
      add(all, filter, to_problem(problem), {});
    }
}

/// First of all, because everything else is held against them, however early a sweep ends.
void add_ceilings(std::vector<PlannedComparison>& all, const Profile& profile, const Filter& filter) {
  for (auto& problem : ceiling_problems(profile.reductions, profile.backend)) add(all, filter, std::move(problem), {});
}

void add_reductions(std::vector<PlannedComparison>& all, const Profile& profile, const Filter& filter) {
  for (auto& problem : reduction_problems(profile.reductions, profile.backend)) add(all, filter, std::move(problem), {});
}

}  // namespace

std::string suite_of(const std::string& op) {
  const auto begins = [&](std::string_view prefix) { return op.rfind(prefix, 0) == 0; };
  if (begins("conv_bias") || begins("conv_stats")) return "fused_convolution";
  if (begins("conv_")) return "convolution";
  if (op == "matmul" || op == "bias_grad" || op == "bias_add") return op;
  if (begins("scale_channels")) return "scale_channels";
  if (op.find("_pool_") != std::string::npos) return "pooling";
  if (op.find("softmax") != std::string::npos) return "softmax";
  if (begins("dropout")) return "dropout";
  if (op == "sgd_momentum" || op == "rmsprop" || op == "adam") return "optimizer";
  if (begins("relu") || begins("swish") || begins("sigmoid") || op == "add") return "activation";
  if (begins("dense_")) return "dense";
  if (begins("batch_norm")) return "batch_norm";
  if (begins("train_step")) return "train_step";
  if (begins("inference")) return "inference";
  if (op == "sum" || op == "dot" || op == "segmented_sum") return "reduction";
  if (op == "scatter_add" || op == "index_add" || op == "weighted_histogram") return "scatter_add";
  if (begins("resize")) return "resize";
  if (begins("memory_") || op == "fma_rate") return "ceilings";
  if (op == "control") return "control";
  return "other";
}

std::string suite_of(const Problem& problem) { return is_ceiling(problem) ? "ceilings" : suite_of(problem.op); }

PlannedComparison plan_controls() {
  return {{"control", "n" + std::to_string(control_elements), "f32_f32_strict", "vector"}, "control", {}, false, 1, {}};
}

Result<std::vector<PlannedComparison>> plan_comparisons(const Registry& registry, const Profile& profile, const Filter& filter) {
  std::vector<PlannedComparison> all;
  if (const auto& problem = filter.problem()) {
    if (is_whole_network(suite_of(problem->op))) return all;
    const auto* operation = registry.find(problem->op);
    if (operation == nullptr) {
      std::string ops;
      for (const auto& known : registry.operations()) ops += (ops.empty() ? "" : ", ") + std::string(known->op());
      return invalid_input("'" + problem->op + "' is no op: " + ops + " are");
    }
    if (auto good = operation->check(*problem); !good) return tl::unexpected(good.error());
    add(all, filter, *problem, {});
    return all;
  }
  add_ceilings(all, profile, filter);
  for (const auto& setting : profile.networks) {
    if (!setting.sweep_layers) continue;
    auto network = make_network(setting.model, setting.pixels, classes_of(setting.model));
    if (!network) return tl::unexpected(network.error());
    add_layers(all, profile, setting, *network, filter);
    add_others(all, profile, setting, *network, filter);
  }
  add_tutorial_case(all, profile, filter);
  add_reductions(all, profile, filter);
  // Two settings may pose the same problem; its uses are joined.
  std::vector<PlannedComparison> distinct;
  for (auto& comparison : all) {
    const auto same = std::find_if(distinct.begin(), distinct.end(), [&](const PlannedComparison& c) { return c.problem == comparison.problem; });
    if (same == distinct.end()) {
      distinct.push_back(std::move(comparison));
      continue;
    }
    for (const auto& use : comparison.used_by)
      if (std::find(same->used_by.begin(), same->used_by.end(), use) == same->used_by.end()) same->used_by.push_back(use);
  }
  return distinct;
}

bool is_whole_network(const std::string& suite) { return suite == "train_step" || suite == "inference"; }

Result<std::vector<PlannedComparison>> plan_networks(const Registry& registry, const Profile& profile, const Filter& filter) {
  std::vector<PlannedComparison> all;
  const auto with_blocks = [&] {
    for (auto& comparison : all)
      if (comparison.suite == "train_step") comparison.block_factor = train_step_block_factor;
    return all;
  };
  if (const auto& problem = filter.problem()) {
    const auto* operation = registry.find(problem->op);
    if (operation == nullptr || !is_whole_network(suite_of(problem->op))) return all;
    if (auto good = operation->check(*problem); !good) return tl::unexpected(good.error());
    add(all, filter, *problem, {});
    return with_blocks();
  }
  for (const auto& setting : profile.networks)
    for (const auto& types : profile.network_types) {
      StepProblem step{setting.model, setting.pixels, setting.batch, classes_of(setting.model), types};
      if (setting.trains) add(all, filter, to_problem(step), {setting.model});
    }
  for (const auto& setting : profile.networks)
    for (const auto& types : profile.network_types)
      for (const auto batch : profile.inference_batches) {
        StepProblem step{setting.model, setting.pixels, batch, classes_of(setting.model), types, false};
        const auto problem = to_problem(step);
        // Settings that differ in the batch they train with ask the same of inference.
        const bool known = std::any_of(all.begin(), all.end(), [&](const PlannedComparison& c) { return c.problem == problem; });
        if (setting.trains && !known) add(all, filter, problem, {setting.model});
      }
  return with_blocks();
}

}  // namespace detbench
