#include "bench/analysis/claim_audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "bench/analysis/provenance.hpp"

namespace detbench::analysis {
namespace {

bool promises(const Claim& claim) { return claim.guarantee != Guarantee::not_guaranteed && !claim.source.empty(); }

/// "cudnn_graph:eng25[TILE_SIZE=1]@ws=0" -> "cudnn_graph:eng25".
std::string family(const std::string& algorithm) { return algorithm.substr(0, algorithm.find_first_of("[@")); }

std::string coverage_words(const Claim& claim) {
  std::string words;
  for (const auto scope : claim.coverage) words += (words.empty() ? "" : ", ") + std::string(to_text(scope));
  return words;
}

struct Group {
  AuditRow row;
  std::vector<const Record*> records;
};

/// Differences are told best where nothing had to be done to provoke them, and by the case with the most elements.
std::uint64_t weight(const Record& record, const ScopeResult& scope) {
  std::uint64_t place = 0;
  for (std::size_t i = 0; i < all_scopes.size(); ++i)
    if (all_scopes[i] == scope.scope) place = all_scopes.size() - i;
  const std::uint64_t elements = scope.witness ? scope.witness->differing : 0;
  const std::uint64_t broken = record.claim.covers(scope.scope) ? 1 : 0;
  return (broken << 62) | ((scope.witness ? 1ULL : 0ULL) << 61) | (place << 56) | std::min<std::uint64_t>(elements, (1ULL << 56) - 1);
}

void fill_scopes(Group& group) {
  for (const auto scope : all_scopes) {
    AuditScope audit;
    audit.scope = scope;
    audit.covered = promises(group.row.claim) && group.row.claim.covers(scope);
    for (const auto* record : group.records) {
      const auto* result = find_scope(*record, scope);
      if (result == nullptr) continue;
      // Where no order can show, a row without a difference is no test of anything.
      if (result->verdict == ScopeVerdict::no_difference && !cannot_show(*record).empty()) ++audit.untested;
      else if (differs(*result)) ++audit.differing;
      else if (result->verdict == ScopeVerdict::no_difference) ++audit.without_difference;
      else if (result->verdict == ScopeVerdict::untested) ++audit.untested;
      if (differs(*result) || (result->verdict == ScopeVerdict::no_difference && cannot_show(*record).empty())) audit.runs += result->runs;
    }
    if (audit.differing + audit.without_difference + audit.untested > 0) group.row.scopes.push_back(audit);
  }
}

void judge(Group& group) {
  auto& row = group.row;
  bool outside = false, any = false, tested = false, held = false;
  for (const auto& scope : row.scopes) {
    tested = tested || scope.differing + scope.without_difference > 0;
    any = any || scope.differing > 0;
    outside = outside || (scope.differing > 0 && !scope.covered);
    held = held || (scope.covered && scope.without_difference > 0);
  }
  const bool broken = std::any_of(group.records.begin(), group.records.end(), [](const Record* r) { return r->claim_verdict == ClaimVerdict::broken; });
  if (broken) row.verdict = AuditVerdict::broken;
  else if (is_declared_nondeterministic(row.claim)) row.verdict = any ? AuditVerdict::declared_and_seen : tested ? AuditVerdict::declared_unseen : AuditVerdict::untested;
  else if (outside) row.verdict = AuditVerdict::differs_not_claimed;
  else if (promises(row.claim)) row.verdict = held ? AuditVerdict::held : AuditVerdict::untested;
  else row.verdict = tested ? AuditVerdict::silent : AuditVerdict::untested;

  std::uint64_t best = 0;
  for (const auto* record : group.records)
    for (const auto& scope : record->agreement) {
      if (!differs(scope)) continue;
      const auto found = weight(*record, scope);
      if (row.evidence_scope != nullptr && found <= best) continue;
      best = found;
      row.evidence = record;
      row.evidence_scope = &scope;
    }
  if (row.evidence != nullptr) return;
  // Without a difference the case with the most runs says most.
  std::uint64_t most = 0;
  for (const auto* record : group.records) {
    std::uint64_t runs = 0;
    for (const auto& scope : record->agreement)
      if (scope.verdict == ScopeVerdict::no_difference && cannot_show(*record).empty()) runs += scope.runs;
    if (row.evidence != nullptr && runs <= most) continue;
    most = runs;
    row.evidence = record;
  }
}

}  // namespace

std::string_view to_text(AuditVerdict verdict) {
  switch (verdict) {
    case AuditVerdict::broken: return "claim broken";
    case AuditVerdict::differs_not_claimed: return "differs, not claimed";
    case AuditVerdict::declared_unseen: return "called nondeterministic, never seen to differ";
    case AuditVerdict::declared_and_seen: return "called nondeterministic, and differs";
    case AuditVerdict::held: return "claim held in the runs made";
    case AuditVerdict::silent: return "no claim, no difference seen";
    case AuditVerdict::untested: return "untested";
  }
  return "";
}

std::vector<AuditRow> audit_claims(const std::vector<ResultFile>& files) {
  using Key = std::tuple<std::size_t, std::string, std::string, int, std::string, std::string>;
  std::map<Key, Group> groups;
  for (std::size_t f = 0; f < files.size(); ++f)
    for (const auto& record : files[f].records) {
      if (record.status != RunStatus::ok) continue;
      const auto op = record.id.substr(0, record.id.find('/'));
      const auto algorithm = family(record.id.substr(record.id.rfind('/') + 1));
      auto& group = groups[{f, op, algorithm, static_cast<int>(record.claim.guarantee), record.claim.source, coverage_words(record.claim)}];
      if (group.records.empty()) {
        group.row.tag = file_tag(f, files.size());
        group.row.op = op;
        group.row.algorithm = algorithm;
        group.row.claim = record.claim;
      }
      group.records.push_back(&record);
    }
  std::vector<AuditRow> rows;
  for (auto& [key, group] : groups) {
    group.row.cases = group.records.size();
    fill_scopes(group);
    judge(group);
    rows.push_back(std::move(group.row));
  }
  // Within a verdict what differs with the least provocation comes first: scopes are in that order.
  const auto rank = [](const AuditRow& row) {
    return std::pair(row.verdict, row.evidence_scope != nullptr ? static_cast<int>(row.evidence_scope->scope) : static_cast<int>(all_scopes.size()));
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const AuditRow& a, const AuditRow& b) { return rank(a) < rank(b); });
  return rows;
}

std::string claim_sentence(const Claim& claim) {
  if (claim.source.empty()) return "none";
  if (claim.guarantee == Guarantee::not_guaranteed) return "called nondeterministic: " + claim.source;
  return fmt::format("{}: {}; covers {}", to_text(claim.guarantee), claim.source, claim.coverage.empty() ? "nothing" : coverage_words(claim));
}

std::string evidence_sentence(const AuditRow& row) {
  if (row.evidence == nullptr) return "";
  if (row.evidence_scope == nullptr) {
    if (const auto why = cannot_show(*row.evidence); !why.empty()) return "no difference seen, and none can show: " + why;
    std::uint32_t runs = 0;
    std::optional<double> bound;
    std::string scopes;
    for (const auto& scope : row.evidence->agreement) {
      if (scope.verdict != ScopeVerdict::no_difference) continue;
      scopes += (scopes.empty() ? "" : ", ") + fmt::format("{} {}", scope.runs, to_text(scope.scope));
      runs += scope.runs;
      if (scope.bound && (!bound || *scope.bound < *bound)) bound = scope.bound;
    }
    if (runs == 0) return "nothing could be tested";
    return "no difference in " + scopes + (bound ? fmt::format("; in one scope under {:.2g} of runs at 95 %", *bound) : "");
  }
  const auto& scope = *row.evidence_scope;
  std::string text = fmt::format("{}: {} distinct in {} {}", to_text(scope.scope), scope.distinct, scope.runs + 1,
                                 is_sampling(scope.scope) ? "runs" : "configurations");
  if (!scope.witness) return text;
  const auto& w = *scope.witness;
  return text + fmt::format("; {} run {}: {}[{}] is {:#x}, was {:#x}; {} of {} elements, up to {} ULP", w.stage, w.run, w.output, w.element,
                            w.run_bits, w.baseline_bits, w.differing, w.elements, w.max_ulp);
}

Table audit_table(const std::vector<AuditRow>& rows) {
  Table table{"claim_audit", "Claim audit: what is claimed, on what grounds, and what was observed",
              {"file", "verdict", "op", "algorithm", "claim", "cases"}, {}};
  for (const auto scope : all_scopes)
    if (scope != Scope::machine) table.columns.emplace_back(to_text(scope));
  for (const char* column : {"evidence", "case", "replay"}) table.columns.emplace_back(column);
  for (const auto& row : rows) {
    std::vector<Json> cells{row.tag, to_text(row.verdict), row.op, row.algorithm, claim_sentence(row.claim), row.cases};
    for (const auto scope : all_scopes) {
      if (scope == Scope::machine) continue;
      const auto found = std::find_if(row.scopes.begin(), row.scopes.end(), [&](const AuditScope& s) { return s.scope == scope; });
      if (found == row.scopes.end()) {
        cells.emplace_back();
        continue;
      }
      const auto tested = found->differing + found->without_difference;
      std::string words = tested == 0              ? "untested"
                          : found->differing == 0 ? fmt::format("none of {} differs ({} {})", tested, found->runs, is_sampling(scope) ? "runs" : "configurations")
                                                  : fmt::format("{} of {} differ", found->differing, tested);
      cells.emplace_back(words + (found->covered ? ", claimed" : ""));
    }
    cells.emplace_back(evidence_sentence(row));
    cells.emplace_back(row.evidence != nullptr ? row.evidence->id : "");
    cells.emplace_back(row.evidence != nullptr ? row.evidence->replay : "");
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace detbench::analysis
