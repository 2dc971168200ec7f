// Our optimizers against stored runs of Keras's (scripts/keras_reference/optimizers.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/training/loss_scale.hpp"
#include "tests/kernels/optimizer/optimizer_runs.hpp"

namespace detbench {
namespace {

using Json = nlohmann::json;
using testing::bytes_of;
using testing::values_of;

const Json& stored() {
  static const Json document = [] {
    std::ifstream file(DETBENCH_KERAS_OPTIMIZERS);
    return Json::parse(file);
  }();
  return document;
}

std::vector<float> floats(const Json& numbers) {
  std::vector<float> values;
  for (const auto& x : numbers) values.push_back(x.is_string() ? std::stof(x.get<std::string>()) : static_cast<float>(x.get<double>()));
  return values;
}
const std::vector<std::string> variables{"kernel", "bias"};

OptimizerSpec spec_of(const std::string& kind, const Json& arguments) {
  OptimizerSpec spec;
  spec.kind = kind == "SGD" ? OptimizerSpec::sgd : kind == "RMSprop" ? OptimizerSpec::rmsprop : OptimizerSpec::adam;
  spec.momentum = arguments.value("momentum", spec.momentum);
  spec.nesterov = arguments.value("nesterov", spec.nesterov);
  spec.rho = arguments.value("rho", spec.rho);
  spec.epsilon = arguments.value("epsilon", spec.epsilon);
  spec.beta1 = arguments.value("beta_1", spec.beta1);
  spec.beta2 = arguments.value("beta_2", spec.beta2);
  spec.centered = arguments.value("centered", spec.centered);
  spec.amsgrad = arguments.value("amsgrad", spec.amsgrad);
  spec.weight_decay = arguments.value("weight_decay", spec.weight_decay);
  return spec;
}

std::vector<double> rates_of(const Json& arguments, int steps) {
  const Json& rate = arguments.at("learning_rate");
  if (rate.is_number()) return std::vector<double>(static_cast<std::size_t>(steps), rate.get<double>());
  std::vector<double> rates;
  for (const float r : floats(stored().at("schedules").at(rate.get<std::string>()).at("rates"))) rates.push_back(r);
  return rates;
}

/// Equal, or within `tolerance` of the larger of the value and 1: the powers of adam's alpha are NumPy's.
void expect_near(const std::vector<float>& found, const std::vector<float>& keras, float tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), keras.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (tolerance == 0)
      EXPECT_EQ(found[i], keras[i]) << what << "[" << i << "]";
    else
      EXPECT_NEAR(found[i], keras[i], tolerance * std::max(1.0f, std::abs(keras[i]))) << what << "[" << i << "]";
  }
}

/// What the plan's inputs hold at the beginning, without the scalars behind the slots.
std::vector<testing::Bytes> beginning(const OptimizerSpec& spec) {
  std::vector<testing::Bytes> inputs(2);
  for (const auto& v : variables) inputs.push_back(bytes_of(floats(stored().at("weights").at(v))));
  for (int s = 0; s < optimizer_slots(spec); ++s)
    for (const auto& v : variables) inputs.push_back(bytes_of(std::vector<float>(stored().at("weights").at(v).size())));
  return inputs;
}

void set_gradients(std::vector<testing::Bytes>& inputs, int step, float scale) {
  for (std::size_t v = 0; v < variables.size(); ++v) {
    auto gradient = floats(stored().at("gradients").at(variables[v])[step]);
    for (float& g : gradient) g *= scale;
    inputs[v] = bytes_of(gradient);
  }
}

TEST(OptimizersAgainstKeras, EveryStepOfEveryOptimizer) {
  const int steps = stored().at("steps");
  ASSERT_EQ(steps, 20);
  ASSERT_EQ(stored().at("optimizers").size(), 12u);
  for (const Json& optimizer : stored().at("optimizers")) {
    const std::string name = optimizer.at("name");
    const OptimizerSpec spec = spec_of(optimizer.at("class"), optimizer.at("arguments"));
    const auto rates = rate_table(spec, rates_of(optimizer.at("arguments"), steps));
    const float tolerance = spec.kind == OptimizerSpec::adam ? 1e-6f : 0.0f;
    testing::PlanRun run;
    run.make = [&](Device& device) { return plan_optimizer({6, 3}, {true, false}, spec, false, steps, device); };
    run.inputs = beginning(spec);
    const std::size_t state = run.inputs.size();
    for (std::size_t o = 2; o < state; ++o) run.in_place.push_back(static_cast<int>(o));
    run.inputs.push_back(bytes_of(rates));
    run.inputs.emplace_back();
    for (int step = 0; step < steps; ++step) {
      set_gradients(run.inputs, step, 1.0f);
      run.inputs.back() = bytes_of(std::vector<std::int32_t>{step});
      const auto after = testing::run_on_cpu(run, 1);
      ASSERT_EQ(after.size(), state - 2) << name;
      for (std::size_t v = 0; v < variables.size(); ++v)
        expect_near(values_of<float>(after[v]), floats(optimizer.at("weights").at(variables[v])[step]), tolerance,
                    name + " " + variables[v] + " after step " + std::to_string(step));
      std::copy(after.begin(), after.end(), run.inputs.begin() + 2);
    }
    const auto slots = optimizer_slot_names(spec);
    EXPECT_EQ(optimizer.at("slots").size(), 2 * slots.size()) << name;
    for (std::size_t s = 0; s < slots.size(); ++s)
      for (std::size_t v = 0; v < variables.size(); ++v) {
        // Keras calls what sgd keeps its momentum.
        const std::string key = variables[v] + "_" + (spec.kind == OptimizerSpec::sgd ? "momentum" : slots[s]);
        expect_near(values_of<float>(run.inputs[4 + 2 * s + v]), floats(optimizer.at("slots").at(key)), tolerance, name + " " + key);
      }
  }
}

TEST(OptimizersAgainstKeras, LossScaleHalvesSkipsAndDoubles) {
  const Json& keras = stored().at("loss_scaling");
  const int steps = stored().at("steps");
  OptimizerSpec spec;
  spec.momentum = 0.9;
  testing::PlanRun update;
  update.make = [&](Device& device) { return plan_optimizer({6, 3}, {false, false}, spec, true, 1, device); };
  update.inputs = beginning(spec);
  for (int o = 2; o < 6; ++o) update.in_place.push_back(o);
  update.inputs.push_back(bytes_of(rate_table(spec, {0.01})));
  update.inputs.push_back(bytes_of(std::vector<std::int32_t>{0}));
  update.inputs.resize(10);
  testing::PlanRun check{[](Device& device) { return plan_all_finite({6, 3}, device); }, {}};
  testing::PlanRun scale_update{[&](Device& device) { return plan_update_loss_scale(keras.at("dynamic_growth_steps"), device); }, {{}}};
  testing::PlanRun advance{[](Device& device) { return plan_advance_step(device, true); }, {{}}};
  std::vector<float> scale{keras.at("initial_scale").get<float>()};
  std::vector<std::int32_t> good{0}, counted{0};
  int skipped = 0;
  for (int step = 0; step < steps; ++step) {
    set_gradients(update.inputs, step, scale[0]);
    for (const Json& bad : keras.at("not_finite"))
      if (bad[0] == step) {
        const std::size_t v = bad[1] == "kernel" ? 0 : 1;
        auto gradient = values_of<float>(update.inputs[v]);
        gradient.at(bad[2].get<std::size_t>()) = std::stof(bad[3].get<std::string>());
        update.inputs[v] = bytes_of(gradient);
      }
    check.inputs = {update.inputs[0], update.inputs[1]};
    const auto finite = testing::run_on_cpu(check, 1).at(0);
    skipped += values_of<std::int32_t>(finite)[0] == 0;
    update.inputs[8] = bytes_of(scale), update.inputs[9] = finite;
    const auto after = testing::run_on_cpu(update, 1);
    std::copy(after.begin(), after.end(), update.inputs.begin() + 2);
    scale_update.inputs = {finite}, scale_update.initial = {bytes_of(scale), bytes_of(good)};
    const auto scaled = testing::run_on_cpu(scale_update, 1);
    scale = values_of<float>(scaled.at(0)), good = values_of<std::int32_t>(scaled.at(1));
    advance.inputs = {finite}, advance.initial = {bytes_of(counted)};
    counted = values_of<std::int32_t>(testing::run_on_cpu(advance, 1).at(0));
    EXPECT_EQ(scale[0], keras.at("loss_scale")[step].get<float>()) << step;
    EXPECT_EQ(good[0], keras.at("good_steps")[step].get<int>()) << step;
    EXPECT_EQ(counted[0], keras.at("iterations")[step].get<int>()) << step;
    for (std::size_t v = 0; v < variables.size(); ++v)
      expect_near(values_of<float>(after.at(v)), floats(keras.at("weights").at(variables[v])[step]), 0, variables[v] + " after step " + std::to_string(step));
  }
  EXPECT_EQ(skipped, 3);
}

}  // namespace
}  // namespace detbench
