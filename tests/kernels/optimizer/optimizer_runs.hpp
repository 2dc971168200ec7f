// Runs of plan_optimizer over a few tensors, for tests on either device.
#pragma once

#include "kernels/optimizer/optimizer.hpp"
#include "tests/kernels/plan_bits.hpp"

namespace detbench::testing {

struct NamedSpec {
  const char* name;
  OptimizerSpec spec;
};

/// Every rule that the code has its own form of, with and without decay.
inline std::vector<NamedSpec> every_optimizer() {
  std::vector<NamedSpec> all;
  const auto add = [&](const char* name, OptimizerSpec::Kind kind, auto change) {
    OptimizerSpec spec;
    spec.kind = kind;
    change(spec);
    all.push_back({name, spec});
    spec.weight_decay = 0.01;
    all.push_back({name, spec});
  };
  add("sgd", OptimizerSpec::sgd, [](auto&) {});
  add("momentum", OptimizerSpec::sgd, [](auto& s) { s.momentum = 0.9; });
  add("nesterov", OptimizerSpec::sgd, [](auto& s) { s.momentum = 0.9, s.nesterov = true; });
  add("rmsprop", OptimizerSpec::rmsprop, [](auto&) {});
  add("rmsprop_momentum", OptimizerSpec::rmsprop, [](auto& s) { s.momentum = 0.9, s.epsilon = 0.001; });
  add("rmsprop_centered", OptimizerSpec::rmsprop, [](auto& s) { s.centered = true; });
  add("rmsprop_both", OptimizerSpec::rmsprop, [](auto& s) { s.centered = true, s.momentum = 0.9; });
  add("adam", OptimizerSpec::adam, [](auto&) {});
  add("amsgrad", OptimizerSpec::adam, [](auto& s) { s.amsgrad = true; });
  return all;
}

struct Update {
  OptimizerSpec spec;
  std::vector<std::int64_t> elements;
  std::vector<bool> decayed;
  std::vector<double> learning_rates{0.01};
  std::int32_t step = 0;
  std::optional<float> loss_scale = std::nullopt;
  std::int32_t finite = 1;
};

/// In place, as a network runs it: gradients and weights are drawn, slots begin at zero, or at one where `slots_of_one`.
inline PlanRun run_of(const Update& update, bool slots_of_one = false) {
  PlanRun run;
  run.make = [update](Device& device) {
    return plan_optimizer(update.elements, update.decayed, update.spec, update.loss_scale.has_value(), static_cast<std::int64_t>(update.learning_rates.size()), device);
  };
  const auto draw = [&](const char* role, std::int64_t n, FillSpec::Kind kind, double scale) {
    const Shape shape{n};
    run.inputs.push_back(filled_bytes({role, DataType::f32, shape, canonical_layout(shape)}, {kind, 7, std::string(role) + std::to_string(run.inputs.size()), scale, 8, 1.0}));
  };
  const std::size_t n = update.elements.size();
  const int slots = optimizer_slots(update.spec);
  for (const auto count : update.elements) draw("gradient", count, FillSpec::Kind::wide, 0.01);
  for (const auto count : update.elements) draw("weights", count, FillSpec::Kind::normal, 1.0);
  for (int s = 0; s < slots; ++s)
    for (const auto count : update.elements) draw("slot", count, FillSpec::Kind::constant, slots_of_one ? 1.0 : 0.0);
  run.inputs.push_back(bytes_of(rate_table(update.spec, update.learning_rates)));
  run.inputs.push_back(bytes_of(std::vector<std::int32_t>{update.step}));
  if (update.loss_scale) run.inputs.push_back(bytes_of(std::vector<float>{*update.loss_scale})), run.inputs.push_back(bytes_of(std::vector<std::int32_t>{update.finite}));
  for (std::size_t o = 0; o < n * (1 + static_cast<std::size_t>(slots)); ++o) run.in_place.push_back(static_cast<int>(n + o));
  return run;
}

}  // namespace detbench::testing
