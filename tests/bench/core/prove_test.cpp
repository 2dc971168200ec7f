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
