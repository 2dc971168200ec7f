#include "models/data/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace detbench {
namespace {

/// Labels without images.
class Labels final : public Dataset {
 public:
  Labels(std::vector<std::int32_t> labels, std::size_t classes) : labels_(std::move(labels)), classes_(classes, "c") {}
  const std::string& name() const override { return name_; }
  ImageSize image() const override { return {1, 1, 1}; }
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return labels_[static_cast<std::size_t>(index)]; }
  Status read(std::int64_t, std::span<float>) const override { return {}; }

 private:
  std::string name_ = "labels";
  std::vector<std::int32_t> labels_;
  std::vector<std::string> classes_;
};

using Indices = std::vector<std::int64_t>;

TEST(Split, ArraysTakeTheFirstImagesForValidation) {
  const Labels labels({0, 1, 0, 1, 1, 0, 0}, 2);
  const auto split = split_arrays(labels, 0.3);  // int(2.1)
  ASSERT_TRUE(split) << split.error().text;
  EXPECT_EQ(split->validation, (Indices{0, 1}));
  EXPECT_EQ(split->training, (Indices{2, 3, 4, 5, 6}));
}

TEST(Split, ArraysSortedByLabelAreRefusedAsInKeras) {
  const auto split = split_arrays(Labels({0, 0, 0, 1, 1, 1}, 2), 0.5);
  ASSERT_FALSE(split);
  EXPECT_NE(split.error().text.find("sorted by label"), std::string::npos);
  EXPECT_TRUE(split_arrays(Labels({0, 0, 0, 1, 1, 1}, 2), 0));
}

TEST(Split, DirectoriesTakeTheFirstOfEachClassRoundedDown) {
  const auto split = split_directories(Labels({0, 0, 0, 0, 0, 1, 1, 1}, 2), 0.4);  // int(2.0), int(1.2)
  ASSERT_TRUE(split);
  EXPECT_EQ(split->validation, (Indices{0, 1, 5}));
  EXPECT_EQ(split->training, (Indices{2, 3, 4, 6, 7}));
}

TEST(Split, StratifiedKeepsTheSharesAndIsSeeded) {
  std::vector<std::int32_t> values;
  for (int i = 0; i < 300; ++i) values.push_back(i % 10 == 0 ? 1 : 0);
  const Labels labels(values, 2);
  const auto split = split_stratified(labels, 0.2, 5);
  ASSERT_TRUE(split);
  std::map<std::int32_t, int> validation;
  for (const auto i : split->validation) ++validation[labels.label(i)];
  EXPECT_EQ(validation[0], 54);
  EXPECT_EQ(validation[1], 6);
  Indices all = split->training;
  all.insert(all.end(), split->validation.begin(), split->validation.end());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(all.size(), 300u);
  EXPECT_EQ(split_stratified(labels, 0.2, 5)->validation, split->validation);
  EXPECT_NE(split_stratified(labels, 0.2, 6)->validation, split->validation);
}

TEST(Split, SharesOutsideAreRefused) {
  const Labels labels({0, 1}, 2);
  for (const double share : {-0.1, 1.0, 2.0}) {
    EXPECT_FALSE(split_arrays(labels, share));
    EXPECT_FALSE(split_directories(labels, share));
    EXPECT_FALSE(split_stratified(labels, share, 1));
  }
}

TEST(Permutation, IsOneAndDependsOnSeedStreamAndEpoch) {
  const auto order = permutation(1000, 3, "shuffle", 7);
  Indices sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(permutation(1000, 3, "shuffle", 7), order);
  EXPECT_NE(permutation(1000, 4, "shuffle", 7), order);
  EXPECT_NE(permutation(1000, 3, "split", 7), order);
  EXPECT_NE(permutation(1000, 3, "shuffle", 8), order);
  EXPECT_EQ(permutation(0, 3, "shuffle", 0), Indices{});
  EXPECT_EQ(permutation(1, 3, "shuffle", 0), Indices{0});
}

TEST(Permutation, AllOrdersAreEquallyLikely) {
  std::map<Indices, int> seen;
  constexpr int n = 24000;
  for (int epoch = 0; epoch < n; ++epoch) ++seen[permutation(4, 1, "shuffle", static_cast<std::uint32_t>(epoch))];
  ASSERT_EQ(seen.size(), 24u);
  double chi_square = 0;
  for (const auto& [order, count] : seen) chi_square += (count - n / 24.0) * (count - n / 24.0) / (n / 24.0);
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom: exceeded once in 1000 times
}

TEST(Permutation, HasTheseValues) {
  // A change of the rule would change every published training run.
  EXPECT_EQ(permutation(8, 1, "shuffle", 0), (Indices{6, 2, 4, 3, 5, 1, 7, 0}));
}

}  // namespace
}  // namespace detbench
