#include "bench/suites/ablation.hpp"

#include <gtest/gtest.h>

namespace detbench {
namespace {

AblationSettings tiny() {
  AblationSettings settings;
  settings.pixels = 12;
  settings.classes = 3;
  settings.batch = 8;
  settings.images = 44;
  settings.epochs = 1;
  settings.replicas = 2;
  settings.threads = 2;
  return settings;
}

Result<AblationRow> measure(const AblationSettings& settings, const std::string& source) {
  double input_s = 0, train_s = 0;
  auto row = measure_ablation_row(settings, source, make_cpu_device, input_s, train_s);
  EXPECT_TRUE(!row || !row->note.empty() || train_s > 0);
  return row;
}

TEST(Ablation, WithEverythingFixedAllReplicasHaveTheSameBits) {
  const auto row = measure(tiny(), "none");
  ASSERT_TRUE(row) << row.error().text;
  EXPECT_EQ(row->note, "");
  EXPECT_EQ(row->replicas.size(), 2u);
  EXPECT_EQ(row->distinct_weights, 1u);
  EXPECT_EQ(row->weights_l2, 0);
  EXPECT_EQ(row->churn, 0);
  EXPECT_EQ(row->loss_min, row->loss_max);
}

TEST(Ablation, EverySeedThatIsLetGoShowsAlone) {
  for (const char* source : {"weights", "shuffle", "augmentation", "dropout", "drop_connect"}) {
    const auto row = measure(tiny(), source);
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(row->distinct_weights, 2u) << source;
    EXPECT_GT(row->weights_l2, 0) << source;
    EXPECT_EQ(row->replicas[0].kernels, "fixed_order");
  }
}

TEST(Ablation, ASourceThatANetworkDoesNotHaveIsANote) {
  AblationSettings settings = tiny();
  settings.network = "small_cnn";
  const auto row = measure(settings, "drop_connect");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->note, "small_cnn has no drop-connect");
  EXPECT_TRUE(row->replicas.empty());
}

TEST(Ablation, FiguresOfARow) {
  const std::vector<ReplicaOutcome> outcomes = {{{"a", 1.0, 0.5, "k"}, {0, 3}, {1, 1, 1, 1}}, {{"a", 2.0, 0.25, "k"}, {4, 0}, {1, 1, 1, 0}}, {{"b", 3.0, 0.0, "k"}, {0, 3}, {0, 1, 1, 1}}};
  const auto row = summarize_replicas("weights", outcomes);
  EXPECT_EQ(row.distinct_weights, 2u);
  EXPECT_DOUBLE_EQ(row.weights_l2, 10.0 / 3);
  EXPECT_DOUBLE_EQ(row.relative_weights_l2, 1.0);  // the mean norm is (3 + 4 + 3) / 3
  EXPECT_DOUBLE_EQ(row.loss_mean, 2.0);
  EXPECT_DOUBLE_EQ(row.loss_stddev, 1.0);
  EXPECT_DOUBLE_EQ(row.accuracy_mean, 0.25);
  EXPECT_DOUBLE_EQ(row.accuracy_stddev, 0.25);
  EXPECT_DOUBLE_EQ(row.churn, (0.25 + 0.25 + 0.5) / 3);
}

TEST(Ablation, RefusesWhatCannotBe) {
  EXPECT_FALSE(measure(tiny(), "weather"));
  AblationSettings settings = tiny();
  settings.replicas = 1;
  EXPECT_FALSE(measure(settings, "none"));
  settings = tiny();
  settings.network = "no_such_model";
  EXPECT_FALSE(measure(settings, "none"));
}

TEST(Ablation, SettingsAndRowsSurviveJson) {
  const auto back = read_ablation_settings(to_json(tiny()));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), to_json(tiny()));
  auto ablation = describe_ablation(tiny(), false);
  ASSERT_TRUE(ablation) << ablation.error().text;
  EXPECT_EQ(ablation->steps, 4u);
  ablation->rows = {summarize_replicas("none", {{{std::string(32, 'a'), 1, 0.5, "fixed_order"}, {1}, {1}}, {{std::string(32, 'a'), 1, 0.5, "fixed_order"}, {1}, {1}}})};
  const auto read = read_ablation(to_json(*ablation), "ablation[0]");
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(to_json(*read), to_json(*ablation));
  auto damaged = to_json(*ablation);
  damaged["rows"][0]["churn"] = 2;
  EXPECT_NE(read_ablation(damaged, "ablation[0]").error().text.find("ablation[0].rows[0].churn"), std::string::npos);
}

TEST(Ablation, ProfilesAndFilters) {
  EXPECT_FALSE(ablation_of_profile("smoke", 1, 2));
  const auto quick = ablation_of_profile("quick", 1, 2);
  ASSERT_TRUE(quick);
  EXPECT_GT(ablation_of_profile("standard", 1, 2)->replicas, quick->replicas);
  EXPECT_TRUE(wants_ablation(*Filter::parse({"suite:ablation"}), *quick));
  EXPECT_TRUE(wants_ablation(Filter(), *quick));
  EXPECT_FALSE(wants_ablation(*Filter::parse({"suite:convolution"}), *quick));
  EXPECT_FALSE(wants_ablation(*Filter::parse({"provider:onednn"}), *quick));
}

}  // namespace
}  // namespace detbench
