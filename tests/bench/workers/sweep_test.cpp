#include "bench/workers/sweep.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "bench/core/schedule.hpp"

namespace detbench {
namespace {

class SweepTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 ("detbench_sweep_" + std::to_string(getpid()) + "_" + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  SweepSettings settings(std::vector<std::string> algorithms) const {
    SweepSettings s;
    s.profile = {"test", 3, 2, 2, 1, 6, ""};
    s.base.threads = 1;
    s.directory = directory_;
    s.arm_timeout_s = 20;
    s.wanted = [algorithms](const Problem&, const Algorithm& a) {
      return std::find(algorithms.begin(), algorithms.end(), a.name) != algorithms.end();
    };
    return s;
  }
  std::vector<PlannedComparison> planned() const {
    return {{{"fake", "n64", "f32_f32_strict", "vector"}, "other", {"test"}, true, 1, {}}};
  }
  static const Record& record_of(const std::vector<Record>& records, const std::string& algorithm) {
    const auto found = std::find_if(records.begin(), records.end(), [&](const Record& r) { return r.id.ends_with(":" + algorithm); });
    if (found == records.end()) throw std::runtime_error("no record of " + algorithm);
    return *found;
  }

  std::filesystem::path directory_;
};

TEST_F(SweepTest, AProblemMayRepeatAsOftenAsItsKindAsks) {
  auto s = settings({"steady"});
  auto plan = planned();
  plan.push_back({{"fake", "n32", "f32_f32_strict", "vector"}, "other", {"test"}, true, 1, {}});
  s.runs = [](const Problem& problem) { return problem.shape == "n32" ? 5U : 0U; };
  Sweep sweep(s, nullptr, {});
  const auto measured = sweep.measure(plan);
  ASSERT_TRUE(measured) << measured.error().text;
  const auto records = sweep.records();
  ASSERT_EQ(records.size(), 2U);
  for (const auto& record : records) {
    const bool own = record.id.find("/n32/") != std::string::npos;
    for (const auto& scope : record.agreement)
      if (scope.scope == Scope::repeat || scope.scope == Scope::load) {
        ASSERT_FALSE(scope.stages.empty());
        // The profile's n: 3 of repeat, 2 of load.
        EXPECT_EQ(scope.stages.front().runs, own ? 5U : scope.scope == Scope::repeat ? 3U : 2U) << record.id << " " << to_text(scope.scope);
      }
  }
}

TEST_F(SweepTest, EveryFaultMarksItsOwnRowAndTheSweepGoesOn) {
  auto s = settings({"steady", "crashes_when_run", "hangs", "exhausts_memory", "wrong", "absent", "other_steady"});
  s.arm_timeout_s = 6;  // what the hanging arm costs; the others need a fraction of a second
  Sweep sweep(s, nullptr, {});
  const auto measured = sweep.measure(planned());
  ASSERT_TRUE(measured) << measured.error().text;
  const auto records = sweep.records();
  ASSERT_EQ(records.size(), 7U);
  EXPECT_EQ(record_of(records, "crashes_when_run").status, RunStatus::crashed);
#ifndef __SANITIZE_ADDRESS__  // a sanitizer turns the signal into an exit code
  EXPECT_NE(record_of(records, "crashes_when_run").reason.find("Segmentation"), std::string::npos);
#endif
  EXPECT_EQ(record_of(records, "hangs").status, RunStatus::timed_out);
  EXPECT_EQ(record_of(records, "exhausts_memory").status, RunStatus::out_of_memory);
  EXPECT_EQ(record_of(records, "wrong").status, RunStatus::incorrect);
  EXPECT_FALSE(record_of(records, "wrong").timing);
  EXPECT_EQ(record_of(records, "absent").status, RunStatus::unsupported);
  EXPECT_EQ(record_of(records, "absent").reason, "needs a library that is not here");
  for (const char* name : {"steady", "other_steady"}) {
    const auto& record = record_of(records, name);
    EXPECT_EQ(record.status, RunStatus::ok) << record.reason;
    ASSERT_TRUE(record.timing);
    EXPECT_EQ(record.timing->samples.size(), 6U);
    EXPECT_EQ(record.timing->digest, record.output_digest);
    for (const auto& scope : record.agreement)
      if (is_sampling(scope.scope)) {
        EXPECT_EQ(scope.verdict, ScopeVerdict::no_difference) << to_text(scope.scope);
      }
  }
  const auto info = sweep.comparisons().front();
  EXPECT_EQ(info.twin_samples.size(), 6U);
  EXPECT_FALSE(info.twin_of.empty());
}

TEST_F(SweepTest, SamplesFollowTheRecordedSchedule) {
  Sweep sweep(settings({"steady", "other_steady"}), nullptr, {});
  ASSERT_TRUE(sweep.measure(planned()));
  const auto info = sweep.comparisons().front();
  const auto records = sweep.records();
  const std::vector<const std::vector<Sample>*> arms{&records[0].timing->samples, &records[1].timing->samples, &info.twin_samples};
  for (const auto& slot : make_schedule(3, info.blocks, info.schedule_seed)) {
    const auto& samples = *arms[slot.arm];
    EXPECT_TRUE(std::any_of(samples.begin(), samples.end(), [&](const Sample& x) { return x.block == slot.block && x.position == slot.position; }));
  }
}

TEST_F(SweepTest, AnArmThatDiesWhileBeingTimedIsMarkedAndTheOthersAreTimedAnew) {
  Sweep sweep(settings({"steady", "crashes_when_timed", "other_steady"}), nullptr, {});
  const auto measured = sweep.measure(planned());
  ASSERT_TRUE(measured) << measured.error().text;
  const auto records = sweep.records();
  EXPECT_EQ(record_of(records, "crashes_when_timed").status, RunStatus::crashed);
  EXPECT_NE(record_of(records, "crashes_when_timed").reason.find("while being timed"), std::string::npos);
  EXPECT_EQ(record_of(records, "steady").timing->samples.size(), 6U);
  EXPECT_EQ(record_of(records, "other_steady").timing->samples.size(), 6U);
}

// A case given by its id is measured with the claim of its provider, though no list holds it.
TEST_F(SweepTest, ANamedArmThatNoListHoldsKeepsItsClaim) {
  auto s = settings({"unlisted"});
  s.named = CaseName{planned().front().problem, {"fake", "unlisted", {}, {}}};
  Sweep sweep(s, nullptr, {});
  const auto measured = sweep.measure(planned());
  ASSERT_TRUE(measured) << measured.error().text;
  const auto records = sweep.records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].status, RunStatus::ok) << records[0].reason;
  EXPECT_EQ(records[0].claim.source, "by name");
  EXPECT_EQ(records[0].claim.guarantee, Guarantee::run_to_run);
}

TEST_F(SweepTest, AFreshProcessShowsWhatRepeatsCannot) {
  auto s = settings({"steady", "differs_by_process"});
  s.profile.process = 6;  // six workers draw the same bit with probability 1/32
  bool differed = false;
  for (int attempt = 0; attempt < 4 && !differed; ++attempt) {
    Sweep sweep(s, nullptr, {});
    ASSERT_TRUE(sweep.measure(planned()));
    const auto records = sweep.records();
    for (const auto& scope : record_of(records, "differs_by_process").agreement) {
      if (scope.scope == Scope::repeat) {
        EXPECT_EQ(scope.verdict, ScopeVerdict::no_difference);
      }
      if (scope.scope == Scope::process && scope.verdict == ScopeVerdict::differs) {
        differed = true;
        EXPECT_EQ(scope.distinct, 2U);
        if (scope.witness) {
          EXPECT_EQ(scope.witness->element, 0U);
        }
      }
    }
    for (const auto& scope : record_of(records, "steady").agreement)
      if (scope.scope == Scope::process) {
        EXPECT_EQ(scope.verdict, ScopeVerdict::no_difference);
      }
  }
  EXPECT_TRUE(differed);
}

TEST_F(SweepTest, AnInterruptedSweepIsContinuedFromItsJournal) {
  static volatile std::sig_atomic_t interrupted;
  interrupted = 0;
  const auto path = directory_ / "journal.jsonl";
  auto s = settings({"steady", "other_steady"});
  s.interrupted = &interrupted;
  s.progress = [](const Progress& p) {
    if (p.phase == "probe" && p.done == 1) interrupted = 1;  // after the first arm
  };
  std::string first_digest;
  {
    auto journal = Journal::open(path, true);
    ASSERT_TRUE(journal);
    Sweep sweep(s, &*journal, {});
    ASSERT_TRUE(sweep.measure(planned()));
    EXPECT_TRUE(sweep.interrupted());
    ASSERT_FALSE(sweep.records().empty());
    first_digest = sweep.records().front().output_digest;
  }
  std::ofstream(path, std::ios::app) << "{\"key\":\"probe torn";  // what a power cut leaves
  interrupted = 0;
  s.progress = nullptr;
  const auto lines = read_journal(path);
  ASSERT_TRUE(lines) << lines.error().text;
  auto journal = Journal::open(path, false);
  ASSERT_TRUE(journal);
  Sweep sweep(s, &*journal, *lines);
  ASSERT_TRUE(sweep.measure(planned()));
  const auto records = sweep.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].output_digest, first_digest);
  EXPECT_TRUE(records[0].timing);
  // Nothing was probed twice: each piece stands once in the journal.
  auto all = read_journal(path);
  ASSERT_TRUE(all);
  std::vector<std::string> keys;
  for (const auto& line : *all) keys.push_back(line["key"]);
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

TEST_F(SweepTest, AnInterruptDoesNotWaitForAnArmThatHangs) {
  static volatile std::sig_atomic_t interrupted;
  interrupted = 0;
  const auto path = directory_ / "journal.jsonl";
  auto s = settings({"steady", "hangs"});
  s.arm_timeout_s = 120;
  s.interrupted = &interrupted;
  s.progress = [](const Progress& p) {
    if (p.arm.ends_with(":hangs")) interrupted = 1;
  };
  auto journal = Journal::open(path, true);
  ASSERT_TRUE(journal);
  Sweep sweep(s, &*journal, {});
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(sweep.measure(planned()));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  EXPECT_LT(took.count(), interrupt_grace_s + 30);
  // It was given up, not judged: a resumed run takes it up again.
  for (const auto& record : sweep.records()) EXPECT_FALSE(record.id.ends_with(":hangs")) << record.reason;
  const auto lines = read_journal(path);
  ASSERT_TRUE(lines) << lines.error().text;
  for (const auto& line : *lines) EXPECT_EQ(line["key"].get<std::string>().find("hangs"), std::string::npos);
}

TEST_F(SweepTest, AMalformedJournalLineIsNamed) {
  const auto path = directory_ / "journal.jsonl";
  std::ofstream(path) << "{\"key\":\"run\"}\nnonsense\n{\"key\":\"x\"}\n";
  const auto lines = read_journal(path);
  ASSERT_FALSE(lines);
  EXPECT_NE(lines.error().text.find("line 2"), std::string::npos);
  EXPECT_FALSE(read_journal(directory_ / "absent"));
  EXPECT_FALSE(Journal::open(path, true));
}

}  // namespace
}  // namespace detbench
