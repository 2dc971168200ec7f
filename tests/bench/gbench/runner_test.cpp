#include "bench/gbench/runner.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace detbench {
namespace {

TEST(Runner, RefusesWhatOurOwnOptionsDoAndSaysWhich) {
  for (const char* flag : {"--benchmark_repetitions=3", "--benchmark_min_time=1", "--benchmark_enable_random_interleaving=true", "--benchmark_nonsense"}) {
    const auto checked = check_benchmark_flag(flag);
    ASSERT_FALSE(checked) << flag;
    EXPECT_NE(checked.error().text.find(flag), std::string::npos);
    EXPECT_EQ(checked.error().text.find('\n'), std::string::npos);
  }
  EXPECT_TRUE(check_benchmark_flag("--benchmark_out=x.json"));
}

TEST(Runner, RunsSlotsOnceInOrderAndWritesGoogleBenchmarksFile) {
  const std::string path = testing::TempDir() + "detbench_gbench_out.json";
  std::vector<int> order;
  std::vector<TimedSlot> slots;
  for (int i = 0; i < 5; ++i)
    slots.push_back({i < 3 ? "first" : "second", "arm " + std::to_string(i), [&order, i]() -> Result<double> {
                       order.push_back(i);
                       if (i == 3) return failure("slot 3 cannot run");
                       return 0.001 * (i + 1);
                     }});
  ASSERT_TRUE(run_slots(slots, {"--benchmark_out=" + path}));
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  std::ifstream file(path);
  const auto json = nlohmann::json::parse(file, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  ASSERT_EQ(json["benchmarks"].size(), 5U);
  EXPECT_EQ(json["benchmarks"][2]["label"], "arm 2");
  EXPECT_EQ(json["benchmarks"][4]["family_index"], 1);
  EXPECT_NEAR(json["benchmarks"][4]["real_time"].get<double>(), 5e6, 1.0);  // nanoseconds
  EXPECT_EQ(json["benchmarks"][3]["error_message"], "slot 3 cannot run");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace detbench
