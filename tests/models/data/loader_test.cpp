#include "models/data/loader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "models/data/procedural.hpp"

namespace detbench {
namespace {

std::shared_ptr<const Dataset> dataset() { return std::move(*make_procedural_dataset({{12, 10, 3}, 5, 103, 1, 48})); }

std::vector<std::int64_t> all() {
  std::vector<std::int64_t> indices(103);
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

LoaderSpec augmented(int threads) {
  LoaderSpec spec;
  spec.batch = 16;
  spec.threads = threads;
  spec.augmentation.rotation_range = 30;
  spec.augmentation.zoom_low = 0.7;
  spec.augmentation.zoom_high = 1.3;
  spec.augmentation.horizontal_flip = true;
  spec.augmentation.channel_shift_range = 25;
  spec.augmentation.brightness_range = {{0.6, 1.4}};
  return spec;
}

struct Batch {
  std::vector<float> images = std::vector<float>(16 * 12 * 10 * 3);
  std::vector<std::int32_t> labels = std::vector<std::int32_t>(16);
  std::int64_t count = 0;
  bool operator==(const Batch&) const = default;
};
Batch load(Loader& loader, std::uint32_t epoch, std::int64_t number) {
  Batch batch;
  const auto count = loader.load(epoch, number, batch.images, batch.labels);
  EXPECT_TRUE(count) << count.error().text;
  batch.count = count.value_or(0);
  return batch;
}

TEST(Loader, NeitherThreadsNorTheOrderOfCallsChangeABatch) {
  auto one = Loader::make(dataset(), all(), augmented(1)), five = Loader::make(dataset(), all(), augmented(5));
  ASSERT_TRUE(one && five);
  std::vector<Batch> expected;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch)
    for (std::int64_t b = 0; b < one->batches_per_epoch(); ++b) expected.push_back(load(*one, epoch, b));
  std::size_t at = expected.size();
  for (std::uint32_t epoch = 3; epoch-- > 0;)
    for (std::int64_t b = five->batches_per_epoch(); b-- > 0;) EXPECT_EQ(load(*five, epoch, b), expected[--at]);
  EXPECT_NE(expected[0].images, expected[6].images);
  EXPECT_GT(one->input_s(), 0);
}

TEST(Loader, AnEpochShowsEveryImageOnce) {
  auto spec = augmented(2);
  spec.drop_remainder = false;
  auto loader = Loader::make(dataset(), all(), spec);
  ASSERT_TRUE(loader);
  EXPECT_EQ(loader->batches_per_epoch(), 7);
  auto order = loader->order(4);
  EXPECT_NE(order, all());
  EXPECT_EQ(load(*loader, 4, 6).count, 7);
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, all());
}

TEST(Loader, EachSeedMovesItsOwnSource) {
  auto spec = augmented(2);
  auto base = Loader::make(dataset(), all(), spec);
  const Batch expected = load(*base, 1, 2);
  spec.augmentation_seed = 2;
  auto other = Loader::make(dataset(), all(), spec);
  EXPECT_EQ(load(*other, 1, 2).labels, expected.labels);
  EXPECT_NE(load(*other, 1, 2).images, expected.images);
  spec.augmentation_seed = 1;
  spec.shuffle_seed = 2;
  other = Loader::make(dataset(), all(), spec);
  EXPECT_NE(other->order(1), base->order(1));
}

TEST(Loader, Standardizations) {
  LoaderSpec spec;
  spec.batch = 1;
  spec.shuffled = false;
  std::vector<float> raw(360), scaled(360);
  std::vector<std::int32_t> label(1);
  auto loader = Loader::make(dataset(), {5}, spec);
  ASSERT_TRUE(loader->load(0, 0, raw, label));
  spec.standardization = Standardization::tf;
  loader = Loader::make(dataset(), {5}, spec);
  ASSERT_TRUE(loader->load(0, 0, scaled, label));
  for (std::size_t i = 0; i < raw.size(); ++i) EXPECT_EQ(scaled[i], raw[i] / 127.5f - 1.0f);
  spec.standardization = Standardization::unit;
  loader = Loader::make(dataset(), {5}, spec);
  ASSERT_TRUE(loader->load(0, 0, scaled, label));
  for (std::size_t i = 0; i < raw.size(); ++i) EXPECT_EQ(scaled[i], raw[i] / 255.0f);
}

TEST(Loader, RefusesWhatCannotBe) {
  auto spec = augmented(1);
  EXPECT_FALSE(Loader::make(dataset(), {103}, spec));
  EXPECT_FALSE(Loader::make(dataset(), {1, 2, 3}, spec));
  LoaderSpec any_count;
  any_count.drop_remainder = false;
  EXPECT_FALSE(Loader::make(dataset(), {}, any_count));
  spec.batch = 0;
  EXPECT_FALSE(Loader::make(dataset(), all(), spec));
  spec = augmented(1);
  spec.augmentation.shear_range = -3;
  EXPECT_FALSE(Loader::make(dataset(), all(), spec));
  auto loader = Loader::make(dataset(), all(), augmented(1));
  std::vector<float> images(100);
  std::vector<std::int32_t> labels(16);
  EXPECT_FALSE(loader->load(0, 0, images, labels));
  images.resize(16 * 360);
  EXPECT_FALSE(loader->load(0, 6, images, labels));
  EXPECT_FALSE(loader->load(0, -1, images, labels));
}

}  // namespace
}  // namespace detbench
