#include "bench/suites/train_step_suite.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>

#include "bench/core/prepared_op.hpp"
#include "bench/policy/policy.hpp"
#include "bench/suites/suites.hpp"
#include "models/training.hpp"

namespace detbench {
namespace {

constexpr std::uint32_t observed_steps = 5;

double seconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

/// The policy that a file holds, as an algorithm's name in case names: what it says of itself where the file is named so, else
/// the file's own name.
std::string policy_of_file(const std::filesystem::path& file) {
  if (const auto selection = read_selection_file(file.string()); selection && policy_file_name(selection->name) == file.filename()) return selection->name;
  std::string name = file.stem().string();
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::string_view("_:.+-%").find(c) == std::string_view::npos) c = '_';
  return name;
}

}  // namespace

PolicySource policies_from_files(const std::filesystem::path& directory) {
  std::map<std::string, std::filesystem::path> files;
  std::error_code none;
  for (std::filesystem::directory_iterator at(directory, none), end; !none && at != end; at.increment(none))
    if (at->path().extension() == ".json") files.emplace(policy_of_file(at->path()), at->path());
  PolicySource source;
  // In the order of reports, then what a user brings; without files those that a run would make, with the reason.
  for (const auto& policy : policies_of_profile("full"))
    if (files.contains(policy.name)) source.names.push_back(policy.name);
  for (const auto& [name, file] : files)
    if (std::find(source.names.begin(), source.names.end(), name) == source.names.end()) source.names.push_back(name);
  if (files.empty())
    for (const auto& policy : policies_of_profile("smoke")) source.names.push_back(policy.name);
  source.select = [files](const std::string& policy, const auto&...) -> Result<Selection> {
    const auto file = files.find(policy);
    if (file == files.end())
      return unsupported("no measurement to choose from: run the sweep with the train step, or name a folder of policy files with --selections");
    return read_selection_file(file->second.string());
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
