#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/analysis/claim_audit.hpp"

namespace detbench::analysis {
namespace {

using ::testing::HasSubstr;

const Claim promise{Guarantee::run_to_run, "synthetic document 1.0", {Scope::repeat, Scope::process}};
const Claim warning{Guarantee::not_guaranteed, "synthetic note", {}};

ScopeResult scope(Scope which, ScopeVerdict verdict, std::uint32_t runs, std::uint32_t distinct = 1) {
  ScopeResult result;
  result.scope = which;
  result.verdict = verdict;
  result.runs = runs;
  result.distinct = distinct;
  if (verdict == ScopeVerdict::no_difference && is_sampling(which)) result.bound = 0.05;
  if (verdict == ScopeVerdict::differs) result.witness = Witness{"idle", 7, "dst", 1234, 0x3f800000, 0x3f800001, 4096, 12, 0, 1, false};
  return result;
}

Record record(const std::string& shape, const std::string& algorithm, const Claim& claim, std::vector<ScopeResult> agreement,
              ClaimVerdict verdict = ClaimVerdict::none) {
  Record r;
  r.id = "conv_fwd/" + shape + "/f32_f32_strict/nhwc/" + algorithm;
  r.replay = "detbench run " + r.id;
  r.status = RunStatus::ok;
  r.claim = claim;
  r.claim_verdict = verdict;
  r.agreement = std::move(agreement);
  return r;
}

std::vector<ResultFile> one_file(std::vector<Record> records) {
  ResultFile file;
  file.records = std::move(records);
  return {std::move(file)};
}

const auto same = ScopeVerdict::no_difference, other = ScopeVerdict::differs;

TEST(ClaimAudit, JoinsTheCasesOfAnEngineWhateverItsKnobs) {
  const auto files = one_file({record("a", "lib:eng1[TILE=1]", promise, {scope(Scope::repeat, same, 10)}),
                               record("b", "lib:eng1[TILE=2]@ws=0", promise, {scope(Scope::repeat, same, 20)}),
                               record("a", "lib:eng2", promise, {scope(Scope::repeat, same, 10)})});
  const auto rows = audit_claims(files);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].algorithm, "lib:eng1");
  EXPECT_EQ(rows[0].cases, 2u);
  EXPECT_EQ(rows[0].verdict, AuditVerdict::held);
  ASSERT_EQ(rows[0].scopes.size(), 1u);
  EXPECT_EQ(rows[0].scopes[0].runs, 30u);
  EXPECT_TRUE(rows[0].scopes[0].covered);
  EXPECT_EQ(rows[0].evidence, &files[0].records[1]) << "the case with the most runs";
}

TEST(ClaimAudit, TellsTheVerdictsApart) {
  const auto files = one_file({
      record("a", "lib:broken", promise, {scope(Scope::repeat, other, 10, 3)}, ClaimVerdict::broken),
      record("a", "lib:outside", promise, {scope(Scope::repeat, same, 10), scope(Scope::partition, other, 2, 2)}),
      record("a", "lib:nobody", {}, {scope(Scope::load, other, 10, 4)}),
      record("a", "lib:warned_unseen", warning, {scope(Scope::repeat, same, 100), scope(Scope::load, same, 100)}),
      record("a", "lib:warned", warning, {scope(Scope::repeat, other, 100, 9)}),
      record("a", "lib:kept", promise, {scope(Scope::process, same, 5)}),
      record("a", "lib:quiet", {}, {scope(Scope::repeat, same, 10)}),
      record("a", "lib:blind", promise, {scope(Scope::repeat, ScopeVerdict::untested, 10)}),
  });
  std::map<std::string, AuditVerdict> found;
  for (const auto& row : audit_claims(files)) found[row.algorithm] = row.verdict;
  const std::map<std::string, AuditVerdict> expected{
      {"lib:broken", AuditVerdict::broken},           {"lib:outside", AuditVerdict::differs_not_claimed},
      {"lib:nobody", AuditVerdict::differs_not_claimed}, {"lib:warned_unseen", AuditVerdict::declared_unseen},
      {"lib:warned", AuditVerdict::declared_and_seen}, {"lib:kept", AuditVerdict::held},
      {"lib:quiet", AuditVerdict::silent},            {"lib:blind", AuditVerdict::untested}};
  EXPECT_EQ(found, expected);
}

// A vendor's note and another source for the same engine are two claims: evidence for one is none for the other.
TEST(ClaimAudit, KeepsClaimsOfTheSameEngineApart) {
  const auto files = one_file({record("a", "lib:eng1", promise, {scope(Scope::repeat, same, 10)}),
                               record("b", "lib:eng1", warning, {scope(Scope::repeat, other, 10, 2)})});
  EXPECT_EQ(audit_claims(files).size(), 2u);
}

TEST(ClaimAudit, EvidenceOfABreachBeatsOtherDifferences) {
  const auto files = one_file({record("a", "lib:eng1", promise, {scope(Scope::partition, other, 2, 2)}),
                               record("b", "lib:eng1", promise, {scope(Scope::process, other, 3, 2)}, ClaimVerdict::broken)});
  const auto rows = audit_claims(files);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].evidence, &files[0].records[1]);
  EXPECT_EQ(rows[0].evidence_scope->scope, Scope::process);
  EXPECT_THAT(evidence_sentence(rows[0]), HasSubstr("dst[1234] is 0x3f800001, was 0x3f800000; 12 of 4096 elements, up to 1 ULP"));
}

TEST(ClaimAudit, SaysHowManyRunsShowedNothing) {
  const auto files = one_file({record("a", "lib:eng1", warning, {scope(Scope::repeat, same, 100), scope(Scope::placement, same, 3)})});
  const auto rows = audit_claims(files);
  EXPECT_EQ(evidence_sentence(rows[0]), "no difference in 100 repeat, 3 placement; in one scope under 0.05 of runs at 95 %");
  EXPECT_EQ(claim_sentence(rows[0].claim), "called nondeterministic: synthetic note");
  EXPECT_EQ(claim_sentence(promise), "run_to_run: synthetic document 1.0; covers repeat, process");
  EXPECT_EQ(claim_sentence({}), "none");
}

TEST(ClaimAudit, LeavesOutWhatDidNotRun) {
  auto wrong = record("a", "lib:eng1", promise, {scope(Scope::repeat, other, 10, 3)});
  wrong.status = RunStatus::incorrect;
  auto absent = record("a", "lib:eng2", promise, {});
  absent.status = RunStatus::unsupported;
  EXPECT_TRUE(audit_claims(one_file({wrong, absent})).empty());
  EXPECT_TRUE(audit_table({}).rows.empty());
}

TEST(ClaimAudit, TheTableHasACellPerColumn) {
  const auto files = one_file({record("a", "lib:eng1", promise, {scope(Scope::repeat, same, 10)}),
                               record("a", "lib:nobody", {}, {scope(Scope::load, other, 10, 4)})});
  const auto table = audit_table(audit_claims(files));
  ASSERT_EQ(table.rows.size(), 2u);
  for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
  EXPECT_EQ(table.rows[0][1], "differs, not claimed");
}

}  // namespace
}  // namespace detbench::analysis
