// The proof of the instrument in small; scripts/prove_instrument.sh makes it whole.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/bench/core/prove/proof.hpp"

namespace detbench {
namespace {

TEST(Proof, PlantedDifferencesAreFoundAtTheRateTheoryGives) {
  const auto rows = prove_detection(0.05);
  EXPECT_TRUE(std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.holds(); })) << detection_table(rows);
}

TEST(Proof, IntervalsKeepTheirPromiseOnKnownNoise) {
  const auto rows = prove_simulated_timing(0.1);
  EXPECT_TRUE(std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.holds(); })) << timing_table(rows);
}

TEST(Proof, RealSpinsAreComparedOnWhateverMachineThisIs) {
  const auto row = prove_real_timing("spins", 0.05);
  EXPECT_EQ(row.pairs, 50u);
  // A tenth more work is seen whatever else runs; how often depends on the machine.
  EXPECT_GT(row.found[2], 0.0) << timing_table({row});
}

// On the CPU, so that the very path that a GPU takes is tried everywhere.
TEST(Proof, ADeviceIsProvedThroughItsOwnMemoryAndClock) {
  const auto make = [](const DeviceConfiguration& configuration) { return make_cpu_device(configuration); };
  const auto rows = prove_device_detection(DeviceKind::cpu, make, 0.03);
  ASSERT_TRUE(rows) << rows.error().text;
  EXPECT_TRUE(std::all_of(rows->begin(), rows->end(), [](const auto& row) { return row.holds(); })) << detection_table(*rows);
  EXPECT_TRUE(std::any_of(rows->begin(), rows->end(), [](const auto& row) { return row.scope == "load" && row.expected == 1; }));
  EXPECT_TRUE(std::any_of(rows->begin(), rows->end(), [](const auto& row) { return row.scope == "batch" && row.expected == 0; }));
  const auto row = prove_device_timing("copies", make, 1 << 18, 3);
  ASSERT_TRUE(row) << row.error().text;
  EXPECT_EQ(row->pairs, 3u);
}

TEST(Proof, AGpuIsProvedWhereThereIsOne) {
  const auto device = make_cuda_device();
  if (!device) GTEST_SKIP() << device.error().text;
  // An emulated GPU keeps an order unless it is told otherwise, and its clock is the host's: races and slowdowns are a real one's.
  const bool emulated = (*device)->name().find("Emulated") != std::string::npos;
  const auto make = [](const DeviceConfiguration& configuration) { return make_cuda_device(configuration); };
  const auto rows = prove_device_detection(DeviceKind::cuda, make, emulated ? 0.03 : 0.1);
  ASSERT_TRUE(rows) << rows.error().text;
  for (const auto& row : *rows) {
    const bool is_race = row.planted.find("a real hazard") != std::string::npos;
    EXPECT_TRUE(row.holds() || (emulated && is_race)) << detection_table({row});
  }
  const std::uint32_t pairs = emulated ? 1 : 50;
  const auto row = prove_device_timing("copies", make, emulated ? 1 << 18 : std::int64_t{64} << 20, pairs);
  ASSERT_TRUE(row) << row.error().text;
  EXPECT_EQ(row->pairs, pairs);
  EXPECT_TRUE(emulated || row->found[2] > 0) << timing_table({*row});
}

TEST(Proof, WithoutADeviceThereIsAReason) {
  const auto none = [](const DeviceConfiguration&) -> Result<std::unique_ptr<Device>> { return unsupported("no such device"); };
  EXPECT_EQ(prove_device_detection(DeviceKind::cuda, none, 0.1).error().text, "no such device");
  EXPECT_EQ(prove_device_timing("copies", none, 1 << 20, 5).error().text, "no such device");
}

TEST(Proof, ARowThatDoesNotHoldSaysSo) {
  EXPECT_FALSE((DetectionRow{"repeat", "x", "10 runs", 100, 40, 0.65}.holds()));
  EXPECT_TRUE((DetectionRow{"repeat", "x", "10 runs", 100, 62, 0.65}.holds()));
  EXPECT_FALSE((DetectionRow{"repeat", "nothing", "10 runs", 100, 1, 0.0}.holds()));
  EXPECT_FALSE((DetectionRow{"repeat", "always", "10 runs", 100, 99, 1.0}.holds()));
  TimingRow row;
  row.coverage = 0.95;
  row.pairs = 1000;
  row.equal = 929;
  EXPECT_FALSE(row.holds());
  row.equal = 930;
  EXPECT_TRUE(row.holds());
  row.coverage = 0.85;
  EXPECT_FALSE(row.holds());
  row.coverage = 0.95;
  row.promised[1] = 0.9;
  row.found[1] = 0.7;
  EXPECT_FALSE(row.holds());
}

}  // namespace
}  // namespace detbench
