#include "models/trainer.hpp"

#include <gtest/gtest.h>

#include "models/data/procedural.hpp"
#include "models/small_residual.hpp"

namespace detbench {
namespace {

constexpr std::int64_t classes = 6, pixels = 20;

std::shared_ptr<const Dataset> images(std::int64_t count) { return std::move(*make_procedural_dataset({{pixels, pixels, 3}, classes, count, 1, 32})); }

TrainerSpec spec_of(std::uint32_t epochs) {
  TrainerSpec spec;
  spec.batch = 16;
  spec.epochs = epochs;
  spec.training.learning_rates = {0.05};
  spec.augmentation.horizontal_flip = true;
  spec.augmentation.width_shift_range = 2;
  return spec;
}

Result<TrainingOutcome> train(const TrainerSpec& spec, std::int64_t count, int threads, const Selection& selection = fixed_order_selection()) {
  DeviceConfiguration configuration;
  configuration.threads = threads;
  auto device = make_cpu_device(configuration);
  const auto registry = make_network_registry();
  const auto data = images(count);
  return train_network(*make_small_residual(pixels, classes), data, *split_stratified(*data, 0.25, 1), selection, spec, *registry, **device);
}

TEST(Trainer, LearnsTheProceduralImages) {
  const auto outcome = train(spec_of(6), 576, 2);
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(outcome->loss.size(), 6u * (432 / 16));
  EXPECT_EQ(outcome->predictions.size(), 144u);
  EXPECT_EQ(outcome->accuracy.size(), 6u);
  EXPECT_LT(outcome->loss.back(), 0.8 * outcome->loss.front());
  EXPECT_GT(outcome->accuracy.back(), 0.5);  // chance is 0.17
  EXPECT_GT(outcome->input_s, 0);
}

TEST(Trainer, SameSeedsSameBitsWhateverTheThreads) {
  const auto one = train(spec_of(1), 96, 1), three = train(spec_of(1), 96, 3);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(one->weights_digest, three->weights_digest);
  EXPECT_EQ(one->loss, three->loss);
  EXPECT_EQ(one->predictions, three->predictions);
}

TEST(Trainer, EverySeedChangesTheWeightsByItself) {
  const auto base = train(spec_of(1), 66, 2);
  ASSERT_TRUE(base);
  for (auto seed : {&Seeds::weights, &Seeds::shuffle, &Seeds::augmentation, &Seeds::dropout, &Seeds::drop_connect}) {
    TrainerSpec spec = spec_of(1);
    spec.training.seeds.*seed = 2;
    const auto other = train(spec, 66, 2);
    ASSERT_TRUE(other);
    EXPECT_NE(other->weights_digest, base->weights_digest);
  }
}

TEST(Trainer, TheLibrarysKernelsTrainToo) {
  const auto outcome = train(spec_of(1), 96, 2, library_heuristic_selection());
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_EQ(outcome->loss.size(), 4u);
}

TEST(Trainer, RefusesWhatDoesNotFit) {
  auto spec = spec_of(0);
  EXPECT_FALSE(train(spec, 96, 1));
  spec = spec_of(1);
  spec.batch = 1000;
  EXPECT_FALSE(train(spec, 96, 1));
  auto device = make_cpu_device();
  const auto registry = make_network_registry();
  const auto data = images(96);
  const auto wrong_size = train_network(*make_small_residual(28, classes), data, *split_stratified(*data, 0.25, 1), fixed_order_selection(), spec_of(1), *registry, **device);
  ASSERT_FALSE(wrong_size);
  EXPECT_NE(wrong_size.error().text.find("20x20x3"), std::string::npos);
  const auto wrong_classes = train_network(*make_small_residual(pixels, 10), data, *split_stratified(*data, 0.25, 1), fixed_order_selection(), spec_of(1), *registry, **device);
  ASSERT_FALSE(wrong_classes);
  EXPECT_NE(wrong_classes.error().text.find("10 classes"), std::string::npos);
}

}  // namespace
}  // namespace detbench
