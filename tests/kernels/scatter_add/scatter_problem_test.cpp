// Problems: layouts, contention, names, and what is refused.
#include "kernels/scatter_add/scatter_problem.hpp"

#include <gtest/gtest.h>

#include "scatter_runner.hpp"

namespace detbench {
namespace {

using scatter_add::Layout;
using scatter_add::make_targets;
using scatter_add::parse_scatter;

Problem named(const std::string& op, const std::string& shape, const std::string& types = "f32_f32_strict") { return {op, shape, types, "vector"}; }

/// The bin of every update of a problem, as the fill gives it.
std::vector<std::int32_t> bins_of(const Problem& problem) {
  const auto parsed = parse_scatter(problem);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().text;
  const auto spec = input_specs(*parsed)[1];
  std::vector<std::byte> memory(spec.bytes());
  EXPECT_TRUE(fill_on_host({spec, {memory.data(), memory.size()}}, *input_fill(*parsed, spec.role, {})).has_value());
  auto targets = make_targets(parsed->n, parsed->bins, parsed->hot, parsed->layout);
  if (parsed->has_samples()) targets.samples = reinterpret_cast<const float*>(memory.data());
  else targets.indices = reinterpret_cast<const std::int32_t*>(memory.data());
  std::vector<std::int32_t> bins(static_cast<std::size_t>(parsed->n));
  for (std::int64_t first = 0; first < parsed->n; first += 300)
    find_targets(targets, first, static_cast<int>(std::min<std::int64_t>(300, parsed->n - first)), bins.data() + first);
  for (std::int64_t i = 0; i < parsed->n; ++i) {
    EXPECT_EQ(target_of(targets, i), bins[static_cast<std::size_t>(i)]) << problem_id(problem) << " " << i;
    EXPECT_TRUE(bins[static_cast<std::size_t>(i)] >= 0 && bins[static_cast<std::size_t>(i)] < parsed->bins) << problem_id(problem) << " " << i;
  }
  return bins;
}
std::vector<std::int64_t> counts(const std::vector<std::int32_t>& bins, std::size_t size) {
  std::vector<std::int64_t> count(size, 0);
  for (std::int32_t bin : bins) ++count[static_cast<std::size_t>(bin)];
  return count;
}

TEST(ScatterLayouts, AdjacentIsSortedAndEven) {
  for (const auto& [n, bins] : {std::pair{1000, 7}, {7, 1000}, {4096, 4096}, {5000, 1}, {30011, 1024}}) {
    const auto found = bins_of(named("scatter_add", "n" + std::to_string(n) + "_bins" + std::to_string(bins) + "_hot0_adjacent"));
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end())) << n;
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)], ((2 * i + 1) * bins - 1) / (2 * n)) << n;  // the bin before where that is whole
    const auto count = counts(found, static_cast<std::size_t>(bins));
    for (std::int64_t c : count) EXPECT_LT(std::abs(static_cast<double>(c) - static_cast<double>(n) / bins), 1.01) << n << " " << bins;
  }
}

TEST(ScatterLayouts, SpreadIsTheRemainderForEverySize) {
  for (const auto& [n, bins] : {std::pair{1000, 7}, {7, 1000}, {4096, 4096}, {5000, 1}, {30011, 1000}}) {
    const auto found = bins_of(named("scatter_add", "n" + std::to_string(n) + "_bins" + std::to_string(bins) + "_hot0_spread"));
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(found[static_cast<std::size_t>(i)], i % bins) << n << " " << bins;
  }
  std::mt19937_64 random(1);
  for (int k = 0; k < 20000; ++k) {  // the division without dividing, at its limits
    const std::int64_t divisor = k % 3 == 0 ? std::int64_t{1} << random() % 25 : 1 + static_cast<std::int64_t>(random() % (1 << 24));
    const auto divider = scatter_add::make_divider(divisor);
    const std::int64_t last = (std::int64_t{1} << 30) - 1, drawn = static_cast<std::int64_t>(random() % (1 << 30));
    for (std::int64_t i : {last, drawn, drawn / divisor * divisor, std::max<std::int64_t>(0, drawn / divisor * divisor - 1)})
      ASSERT_EQ(divider.quotient(i), i / divisor) << i << " / " << divisor;
  }
}

TEST(ScatterLayouts, PairsGiveEveryBinAtMostTwoNeighbours) {
  for (const auto& [n, bins] : {std::pair{1000, 500}, {999, 500}, {10, 500}, {1, 1}, {2, 1}}) {
    const auto found = bins_of(named("scatter_add", "n" + std::to_string(n) + "_bins" + std::to_string(bins) + "_hot0_pairs"));
    const auto count = counts(found, static_cast<std::size_t>(bins));
    EXPECT_EQ(*std::max_element(count.begin(), count.end()), std::min(n, 2));
    for (std::size_t i = 0; i + 1 < found.size(); i += 2) EXPECT_EQ(found[i], found[i + 1]);
  }
}

TEST(ScatterLayouts, HalfOfAllUpdatesGoToTheHotBins) {
  for (const char* op : {"scatter_add", "index_add"}) {
    const auto found = bins_of(named(op, op == std::string("scatter_add") ? "n100000_bins1024_hot4" : "n100000_bins1024_d1_hot4"));
    const auto hot = std::count_if(found.begin(), found.end(), [](std::int32_t bin) { return bin < 4; });
    EXPECT_NEAR(static_cast<double>(hot), 50000 + 50000 * 4.0 / 1024, 800);  // five standard deviations
    EXPECT_GT(*std::max_element(found.begin(), found.end()), 1000);
  }
}

TEST(ScatterLayouts, ZipfFavoursTheFirstBins) {
  const auto found = bins_of(named("scatter_add", "n140000_bins200_hot0_zipf"));  // 7 octaves: bins 0 .. 126
  const auto count = counts(found, 200);
  EXPECT_NEAR(static_cast<double>(count[0]), 20000, 700);
  EXPECT_NEAR(static_cast<double>(count[1]), 10000, 500);
  EXPECT_NEAR(static_cast<double>(count[126]), 20000.0 / 64, 90);
  EXPECT_EQ(count[127], 0);
}

TEST(ScatterLayouts, SamplesFallIntoEqualBins) {
  const auto found = bins_of(named("weighted_histogram", "n100000_bins10"));
  for (std::int64_t c : counts(found, 10)) EXPECT_NEAR(static_cast<double>(c), 10000, 500);
  EXPECT_EQ(scatter_add::bin_of_sample(std::numeric_limits<float>::quiet_NaN(), 5, 10), 0);
  EXPECT_EQ(scatter_add::bin_of_sample(-1, 5, 10), 0);
  EXPECT_EQ(scatter_add::bin_of_sample(std::nextafter(1.0f, 0.0f), 5, 10), 9);
  EXPECT_EQ(scatter_add::bin_of_sample(1e30f, 5, 10), 9);
  EXPECT_EQ(scatter_add::bin_of_sample(0.0f, 5, 10), 5);
  EXPECT_EQ(scatter_add::bin_of_sample(-0x1p-29f, 5, 10), 4);
}

TEST(ScatterContention, CountsAreBoundedAsStated) {
  const std::pair<const char*, const char*> problems[] = {
      {"scatter_add", "n20000_bins64_hot0"},          {"scatter_add", "n20000_bins64_hot2"}, {"scatter_add", "n20000_bins30000_hot0"},
      {"scatter_add", "n20000_bins64_hot0_adjacent"}, {"scatter_add", "n20011_bins64_hot0_spread"}, {"scatter_add", "n100_bins64_hot0_pairs"},
      {"scatter_add", "n20000_bins64_hot0_zipf"},     {"index_add", "n3000_bins8_d4"},       {"weighted_histogram", "n20000_bins50"}};
  for (const auto& [op, shape] : problems) {
    const auto parsed = parse_scatter(named(op, shape));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().text;
    const auto count = counts(bins_of(named(op, shape)), static_cast<std::size_t>(parsed->bins));
    const auto most = *std::max_element(count.begin(), count.end());
    EXPECT_LE(most, most_updates_of_a_bin(*parsed)) << shape;
    EXPECT_GE(2 * most + 40, most_updates_of_a_bin(*parsed)) << shape;
    EXPECT_DOUBLE_EQ(mean_updates_per_bin(*parsed), static_cast<double>(parsed->n) / parsed->bins);
  }
}

// What CUDA's warps and threads join before they meet.
TEST(ScatterContention, PartialSumsOfJoinedUpdatesAreNeverTooFew) {
  for (const char* shape : {"n20000_bins64_hot0_adjacent", "n20000_bins1500_hot0_adjacent", "n20000_bins3000_hot0_adjacent", "n999_bins64_hot0_adjacent",
                            "n100_bins64_hot0_pairs", "n5000_bins64_hot0", "n5000_bins64_hot0_spread", "n70_bins1_hot0", "n64_bins1_hot0"})
    for (const std::int64_t part : {16, 32}) {
      const auto parsed = parse_scatter(named("scatter_add", shape)).value();
      const auto bins = bins_of(named("scatter_add", shape));
      std::vector<std::int64_t> partials(static_cast<std::size_t>(parsed.bins), 0);
      for (std::size_t i = 0; i < bins.size(); ++i)
        if (static_cast<std::int64_t>(i) % part == 0 || bins[i] != bins[i - 1]) ++partials[static_cast<std::size_t>(bins[i])];
      EXPECT_LE(*std::max_element(partials.begin(), partials.end()), most_partials_of_a_bin(parsed, part)) << shape << " " << part;
    }
  EXPECT_EQ(most_partials_of_a_bin(parse_scatter(named("scatter_add", "n4096_bins1024_hot0_adjacent")).value(), 16), 2);  // 5 at most
  EXPECT_EQ(most_partials_of_a_bin(parse_scatter(named("scatter_add", "n4096_bins124_hot0_adjacent")).value(), 32), 3);   // 35 at most, from the last lane of a warp on
  EXPECT_EQ(most_partials_of_a_bin(parse_scatter(named("scatter_add", "n64_bins1_hot0")).value(), 32), 2);
  EXPECT_GT(most_partials_of_a_bin(parse_scatter(named("scatter_add", "n4096_bins1024_hot0")).value(), 32), 2);
}

std::map<std::string, std::string> notes_of(const std::string& problem, const std::string& algorithm, int threads) {
  DeviceConfiguration configuration;
  configuration.threads = threads;
  const auto device = make_cpu_device(configuration);
  const auto name = parse_case_id(problem + "/" + algorithm);
  EXPECT_TRUE(device.has_value() && name.has_value());
  const auto plan = testing::operation_named(name->problem.op)->find_provider(name->algorithm.provider)->plan(name->problem, name->algorithm, **device);
  EXPECT_TRUE(plan.has_value()) << plan.error().text;
  return (*plan)->notes();
}

TEST(ScatterContention, NotesSayWhatCannotShow) {
  const std::string random = "scatter_add/n4096_bins256_hot0/f32_f32_strict/vector", pairs = "scatter_add/n512_bins256_hot0_pairs/f32_f32_strict/vector";
  EXPECT_EQ(notes_of(random, "openmp:atomic", 3).at("updates_per_bin"), "16");
  EXPECT_EQ(notes_of(random, "openmp:atomic", 3).count("cannot_show"), 0u);
  EXPECT_NE(notes_of(random, "openmp:atomic", 1).at("cannot_show").find("one thread"), std::string::npos);
  EXPECT_EQ(notes_of(random, "openmp:thread_partials_atomic", 3).count("cannot_show"), 0u);
  EXPECT_NE(notes_of(random, "openmp:thread_partials_atomic", 2).at("cannot_show").find("2 partial sums"), std::string::npos);
  EXPECT_NE(notes_of(pairs, "openmp:atomic", 3).at("cannot_show").find("2 updates"), std::string::npos);
  EXPECT_EQ(notes_of("scatter_add/n768_bins256_hot0_spread/f32_f32_strict/vector", "openmp:atomic", 3).count("cannot_show"), 0u);
  EXPECT_EQ(notes_of("scatter_add/n512_bins256_hot0_spread/f32_f32_strict/vector", "openmp:atomic", 3).count("cannot_show"), 1u);
  EXPECT_NE(notes_of(random, "fixed_order:serial", 1).at("contention"), "");
}

TEST(ScatterProblems, NamesComeBackAsTheyWere) {
  for (const char* id : {"scatter_add/n5_bins3_hot2_wide/f64_f64_strict/vector/fixed_order:sort_tree", "scatter_add/n5_bins3_hot0_pairs_cancelling/f16_f16_strict/vector/openmp:atomic",
                         "index_add/n5_bins3_d2_hot1/bf16_f32_strict/vector/order_independent:fixed_point", "weighted_histogram/n9_bins4_uniform/f32_f32_strict/vector/fixed_order:serial"}) {
    const auto name = parse_case_id(id);
    ASSERT_TRUE(name.has_value()) << name.error().text;
    const auto operation = testing::operation_named(name->problem.op);
    ASSERT_TRUE(operation->check(name->problem).has_value()) << operation->check(name->problem).error().text;
    EXPECT_EQ(case_id(name->problem, name->algorithm), id);
    const auto* provider = operation->find_provider(name->algorithm.provider);
    ASSERT_NE(provider, nullptr);
    const auto device = make_cpu_device({});
    const auto offers = provider->offers(name->problem, **device);
    ASSERT_TRUE(offers.has_value());
    EXPECT_TRUE(std::any_of(offers->begin(), offers->end(), [&](const Offer& o) { return o.algorithm.name == name->algorithm.name && !o.unsupported; })) << id;
  }
}

TEST(ScatterProblems, BadOnesAreRefusedInOneLine) {
  const struct {
    Problem problem;
    const char* names;
  } cases[] = {{named("scatter_add", "n5_bins3"), "hot"},
               {named("scatter_add", "n0_bins3_hot0"), "n0"},
               {named("scatter_add", "n5_bins0_hot0"), "bins0"},
               {named("scatter_add", "n5_bins3_hot3"), "power of two"},
               {named("scatter_add", "n5_bins2_hot4"), "up to bins"},
               {named("scatter_add", "n5_bins33554433_hot0"), "bins33554433"},
               {named("scatter_add", "n5_bins2_hot0_pairs"), "2 * bins"},
               {named("scatter_add", "n5_bins4_hot1_spread"), "hot0"},
               {named("scatter_add", "n5_bins4_hot0_scattered"), "adjacent"},
               {named("scatter_add", "n5_bins4_hot0_wide_spread"), "before the distribution"},
               {named("scatter_add", "n5_bins3_hot0", "f16_f64_strict"), "f32_f32_strict"},
               {named("scatter_add", "n1048576_bins1_hot0_uniform", "f16_f16_strict"), "overflow"},
               {{"scatter_add", "n5_bins3_hot0", "f32_f32_strict", "nchw"}, "vector"},
               {named("index_add", "n5_bins3"), "dN"},
               {named("index_add", "n5_bins3_d0"), "d0"},
               {named("index_add", "n5_bins3_d2_hot0"), "hot0"},
               {named("index_add", "n1073741824_bins3_d2"), "n times d"},
               {named("index_add", "n5_bins16777216_d2"), "bins times d"},
               {named("weighted_histogram", "n5_bins3_hot0"), "fields"},
               {named("weighted_histogram", "n5_bins3_adjacent"), "adjacent"},
               {named("index_add", "n5_bins3_d2"), "is not the operation"}};
  for (const auto& c : cases) {
    const auto operation = testing::operation_named(c.names == std::string("is not the operation") ? "scatter_add" : c.problem.op);
    const auto status = operation->check(c.problem);
    ASSERT_FALSE(status.has_value()) << problem_id(c.problem);
    EXPECT_NE(status.error().text.find(c.names), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().kind, Reason::Kind::invalid_input);
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
  }
}

TEST(ScatterProblems, WhatAnAlgorithmDoesNotDoIsDeclinedWithTheReason) {
  DeviceConfiguration configuration;
  configuration.threads = 8;
  const auto device = make_cpu_device(configuration);
  ASSERT_TRUE(device.has_value());
  const struct {
    Problem problem;
    const char *provider, *algorithm, *names;
  } cases[] = {{named("scatter_add", "n5_bins16777216_hot0"), "order_independent", "superaccumulator", "MiB"},
               {named("scatter_add", "n8388608_bins16_hot0"), "openmp", "atomic", "4194304"},
               {named("index_add", "n65536_bins16_d128"), "openmp", "atomic", "4194304"},
               {named("scatter_add", "n134217728_bins16_hot0"), "order_independent", "fixed_point", "67108864"},
               {named("scatter_add", "n5_bins3_hot0", "f64_f64_strict"), "order_independent", "fixed_point", "superaccumulator"}};
  for (const auto& c : cases) {
    const auto offers = testing::operation_named(c.problem.op)->find_provider(c.provider)->offers(c.problem, **device);
    ASSERT_TRUE(offers.has_value());
    const auto found = std::find_if(offers->begin(), offers->end(), [&](const Offer& o) { return o.algorithm.name == c.algorithm; });
    ASSERT_NE(found, offers->end());
    ASSERT_TRUE(found->unsupported.has_value()) << problem_id(c.problem);
    EXPECT_NE(found->unsupported->text.find(c.names), std::string::npos) << found->unsupported->text;
  }
}

}  // namespace
}  // namespace detbench
