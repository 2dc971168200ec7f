#include "models/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace detbench {
namespace {

LearningRateSchedule schedule(LearningRateSchedule::Kind kind, double rate) {
  LearningRateSchedule s;
  s.kind = kind, s.rate = rate;
  return s;
}

// Stored rates of Keras's schedules (scripts/keras_reference/optimizers.py), which are f32.
TEST(Schedule, FollowsKeras) {
  std::ifstream file(DETBENCH_KERAS_DIR "/optimizers.json");
  const auto stored = nlohmann::json::parse(file).at("schedules");
  ASSERT_EQ(stored.size(), 4u);
  for (const auto& [name, keras] : stored.items()) {
    const auto& a = keras.at("arguments");
    auto s = schedule(keras.at("kind") == "CosineDecay" ? LearningRateSchedule::cosine : LearningRateSchedule::exponential, a.at("initial_learning_rate"));
    s.decay_steps = a.at("decay_steps"), s.decay_rate = a.value("decay_rate", 0.97), s.staircase = a.value("staircase", false), s.floor = a.value("alpha", 0.0);
    if (a.contains("warmup_target")) s.warmup_start = s.rate, s.rate = a.at("warmup_target"), s.warmup_steps = a.at("warmup_steps");
    const auto rates = learning_rates(s, 20).value();
    for (std::size_t step = 0; step < 20; ++step) EXPECT_NEAR(rates[step], keras.at("rates")[step].get<double>(), 2e-7 * s.rate) << name << " " << step;
  }
}

TEST(Schedule, AgreesWithLongDouble) {
  auto cosine = schedule(LearningRateSchedule::cosine, 0.08);
  cosine.decay_steps = 1001, cosine.floor = 0.01;
  auto curve = schedule(LearningRateSchedule::exponential, 0.3);
  curve.decay_rate = 0.9, curve.decay_steps = 7.5, curve.staircase = false;
  const auto found = learning_rates(cosine, 1200).value(), decayed = learning_rates(curve, 1200).value();
  for (int s = 0; s < 1200; ++s) {
    const long double x = std::min(1.0L, s / 1001.0L), expected = 0.08L * (0.99L * 0.5L * (1 + std::cos(x * std::acos(-1.0L))) + 0.01L);
    EXPECT_NEAR(found[s], static_cast<double>(expected), 1e-16) << s;
    EXPECT_NEAR(decayed[s] / static_cast<double>(0.3L * std::pow(0.9L, s / 7.5L)), 1, 1e-13) << s;
  }
}

TEST(Schedule, EfficientNetDecaysEvery2Point4EpochsBehindItsWarmUp) {
  const auto s = efficientnet_schedule(512, 51200);  // 100 steps per epoch
  const auto rates = learning_rates(s, 1500).value();
  EXPECT_EQ(rates[0], 0);
  EXPECT_DOUBLE_EQ(rates[250], 0.016);
  EXPECT_DOUBLE_EQ(rates[500], 0.032 * 0.97 * 0.97);  // decays count from the beginning
  EXPECT_DOUBLE_EQ(rates[719], 0.032 * 0.97 * 0.97);
  EXPECT_DOUBLE_EQ(rates[720], 0.032 * std::pow(0.97, 3));
  EXPECT_DOUBLE_EQ(rates[1440], 0.032 * std::pow(0.97, 6));
}

TEST(Schedule, HoldsItsRateAndRefusesNonsense) {
  EXPECT_EQ(learning_rates(schedule(LearningRateSchedule::constant, 0.5), 3).value(), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_FALSE(learning_rates(schedule(LearningRateSchedule::constant, 0.5), 0));
  EXPECT_FALSE(learning_rates(schedule(LearningRateSchedule::constant, -0.5), 3));
  EXPECT_FALSE(learning_rates(schedule(LearningRateSchedule::constant, NAN), 3));
  auto bad = schedule(LearningRateSchedule::exponential, 0.5);
  bad.decay_steps = 0;
  EXPECT_FALSE(learning_rates(bad, 3));
  bad.decay_steps = 2, bad.decay_rate = 1.5;
  EXPECT_FALSE(learning_rates(bad, 3));
  bad = schedule(LearningRateSchedule::cosine, 0.5);
  bad.floor = 2;
  EXPECT_FALSE(learning_rates(bad, 3));
  bad.floor = 0, bad.warmup_steps = -1;
  EXPECT_FALSE(learning_rates(bad, 3));
}

}  // namespace
}  // namespace detbench
