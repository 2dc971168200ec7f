#include "bench/suites/train_step_suite.hpp"

#include <chrono>

#include "bench/core/prepared_op.hpp"
#include "bench/policy/choose.hpp"
#include "bench/suites/suites.hpp"
#include "models/training.hpp"

namespace detbench {
namespace {

constexpr std::uint32_t observed_steps = 5;

double seconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

}  // namespace

PolicySource policies_from_files(const std::filesystem::path& directory) {
  PolicySource source;
  for (const auto& policy : measured_policies()) source.names.push_back(policy.name);
  source.select = [directory](const std::string& policy) -> Result<Selection> {
    const auto file = directory / policy_file_name(policy);
    if (directory.empty() || !std::filesystem::exists(file))
      return unsupported("no measurement to choose from: run the sweep with the train step, or name a folder of policy files with --selections");
    return read_selection_file(file.string());
  };
  return source;
}

std::optional<TrainStepFacts> observe_train_step(const Registry& registry, const Problem& problem, const Algorithm& algorithm,
                                                 const Inputs& inputs, Device& device) {
  if (suite_of(problem.op) != "train_step") return std::nullopt;
  const auto* operation = registry.find(problem.op);
  auto stream = device.make_stream();
  if (operation == nullptr || !stream) return std::nullopt;
  TensorStore store(device, **stream);
  auto prepared = PreparedOp::make(*operation, problem, algorithm, inputs, device, **stream, store);
  if (!prepared) return std::nullopt;
  auto* step = dynamic_cast<TrainStepOp*>(&(*prepared)->op());
  if (step == nullptr) return std::nullopt;
  auto profile = profile_step(*step, std::max(observed_steps, static_cast<std::uint32_t>(step->steps())));
  if (!profile) return std::nullopt;

  TrainStepFacts facts;
  facts.steps = static_cast<std::uint32_t>(step->steps());
  facts.images_per_s = profile->images_per_s;
  facts.memory_bytes = profile->memory_bytes;
  facts.observed_step_s = profile->step_s;
  facts.op_s = profile->op_s;
  facts.reorder_s = profile->reorder_s;
  facts.loss.assign(profile->loss.begin(), profile->loss.begin() + std::min<std::ptrdiff_t>(facts.steps, static_cast<std::ptrdiff_t>(profile->loss.size())));
  for (const auto& op : profile->ops) facts.ops.push_back({op.phase, op.layer, op.op, op.problem, op.algorithm, op.elapsed_s});
  // What preparing one batch costs; it is done once per batch and never part of a step.
  auto plan = operation->find_provider(algorithm.provider)->plan(problem, algorithm, device);
  if (plan)
    for (const auto& spec : (*plan)->inputs()) {
      if (spec.role != "images" && spec.role != "labels") continue;
      auto fill = operation->fill(problem, spec, inputs);
      auto buffer = device.allocate(spec.bytes());
      if (!fill || !buffer) return facts;
      const auto filling = std::chrono::steady_clock::now();
      if (!device.fill({spec, (*buffer)->region()}, *fill, **stream) || !(*stream)->wait()) return facts;
      facts.input_s += seconds_since(filling);
    }
  return facts;
}

}  // namespace detbench
