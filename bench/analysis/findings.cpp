#include "bench/analysis/findings.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <map>

#include "bench/analysis/ablation_rows.hpp"
#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/divergence_rows.hpp"
#include "bench/analysis/headlines.hpp"
#include "bench/analysis/price.hpp"
#include "bench/analysis/provenance.hpp"
#include "bench/analysis/roofline.hpp"

namespace detbench::analysis {
namespace {

constexpr std::size_t most_named = 5;

std::string counted(std::size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

/// One alarm per (op, algorithm) instead of one per row, the first few by name.
template <class Say>
void by_algorithm(const std::vector<const Record*>& records, std::vector<Finding>& findings, Say say) {
  std::map<std::string, std::vector<const Record*>> groups;
  for (const auto* r : records)
    groups[r->id.substr(r->id.rfind('/') + 1) + " as " + r->id.substr(0, r->id.find('/'))].push_back(r);
  std::size_t named = 0;
  for (const auto& [name, rows] : groups) {
    if (++named > most_named) continue;
    findings.push_back(
        {say(*rows.front(), fmt::format("{} in {}", name, counted(rows.size(), "problem", "problems"))) + ".", true});
  }
  if (named > most_named)
    findings.push_back({fmt::format("and {} more algorithms, in the tables.", named - most_named), true});
}

void rows_in_words(const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::map<RunStatus, std::size_t> statuses;
  for (const auto& r : file.records) ++statuses[r.status];
  std::string text = fmt::format("{}{}: {} for {}", who, machine_label(file),
                                 counted(file.records.size(), "arm attempted", "arms attempted"),
                                 counted(file.comparisons.size(), "problem", "problems"));
  for (const auto& [status, n] : statuses) {
    std::string word(to_text(status));
    std::replace(word.begin(), word.end(), '_', ' ');
    text += fmt::format(", {} {}", n, word);
  }
  findings.push_back({text + "."});
  if (!file.complete)
    findings.push_back({who + "The run was interrupted: only what was measured before is here.", true});
  std::vector<const Record*> wrong;
  for (const auto& r : file.records)
    if (r.status == RunStatus::incorrect) wrong.push_back(&r);
  by_algorithm(wrong, findings, [&](const Record& first, const std::string& where) {
    return fmt::format("{}Wrong result: {}, for instance {}: {}", who, where, first.id, first.reason);
  });
}

void agreement_in_words(const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::size_t probed = 0, run_to_run = 0, partition_tested = 0, partition = 0;
  for (const auto& r : file.records) {
    if (r.agreement.empty()) continue;
    ++probed;
    const bool differs = tier_of(r) == Tier::differs_run_to_run;
    if (differs) ++run_to_run;
    const auto* scope = find_scope(r, Scope::partition);
    if (differs || !scope || (scope->verdict != ScopeVerdict::no_difference && scope->verdict != ScopeVerdict::differs))
      continue;
    ++partition_tested;
    if (scope->verdict == ScopeVerdict::differs) ++partition;
  }
  if (probed == 0) return;
  findings.push_back({fmt::format(
      "{}Run to run: {} of {} arms probed gave other bits when nothing but the run, the process or the load changed.",
      who, run_to_run, probed)});
  if (partition_tested > 0)
    findings.push_back({fmt::format(
        "{}Partition: of the {} other arms tested, {} gave other bits with another number of threads (or SMs).", who,
        partition_tested, partition)});
}

void prices_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who,
                     std::vector<Finding>& findings) {
  for (const auto demand : {Demand::run_to_run, Demand::partition}) {
    std::vector<Price> prices;
    for (const auto& view : views)
      if (view.file == &file && !is_network(view) && !is_machine_rate(view)) prices.push_back(price_of(view, demand));
    const auto s = summarize_prices(prices);
    if (s.problems + s.without_arm + s.untested == 0) continue;
    std::string text = fmt::format("{}Asking single ops for no difference {}: ", who, to_text(demand));
    if (s.problems > 0) {
      text += fmt::format("free or within noise in {} of {}; median price {:.3f}x, geometric mean {:.3f}x (n = {})",
                          s.free, counted(s.problems, "problem", "problems"), *s.median, *s.geometric_mean, s.problems);
      if (*s.largest > 1.005) text += fmt::format(", largest {:.2f}x ({})", *s.largest, s.largest_label);
    } else {
      text += "no problem has a price";
    }
    if (s.without_arm > 0)
      text += fmt::format("; in {} every timed arm differs", counted(s.without_arm, "problem", "problems"));
    if (s.untested > 0) text += fmt::format("; in {} it could not be told", counted(s.untested, "problem", "problems"));
    findings.push_back({text + "."});
  }
}

/// Whole networks first of all: a sentence each.
void networks_in_words(const std::vector<Headline>& headlines, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  for (const auto& headline : headlines) {
    if (headline.view->file != &file) continue;
    auto title = headline.title();
    title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
    findings.push_back({fmt::format("{}{} {}", who, title, sentence(headline))});
  }
}

void claims_in_words(const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::size_t claims = 0;
  std::vector<const Record*> broken;
  for (const auto& r : file.records) {
    if (r.claim_verdict == ClaimVerdict::held_in_n || r.claim_verdict == ClaimVerdict::broken) ++claims;
    if (r.claim_verdict == ClaimVerdict::broken) broken.push_back(&r);
  }
  by_algorithm(broken, findings, [&](const Record& first, const std::string& where) {
    std::string scopes;
    for (const auto& scope : first.agreement)
      if (scope.verdict == ScopeVerdict::differs && first.claim.covers(scope.scope))
        scopes += (scopes.empty() ? "" : ", ") + std::string(to_text(scope.scope));
    return fmt::format("{}Claim broken: {}, claims {} ({}) but differed in {}, for instance {}", who, where,
                       to_text(first.claim.guarantee), first.claim.source, scopes, first.id);
  });
  if (claims > 0 && broken.empty())
    findings.push_back({fmt::format("{}No claim was broken: {} held in the runs made.", who, claims)});
}

/// Steps that part are a finding; that they stay equal is one too.
void divergence_in_words(const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  for (const auto& d : file.divergence) findings.push_back({fmt::format("{}Train steps side by side ({}): {}.", who, d.question, divergence_words(d))});
}

/// The ablation: what was let go, and what it did.
void ablation_in_words(const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  for (const auto& a : file.ablation)
    for (const auto& row : a.rows)
      if (row.note.empty()) findings.push_back({fmt::format("{}{}: {}.", who, ablation_title(a), ablation_words(row))});
}

void controls_in_words(const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::size_t caught = 0;
  for (const auto& c : file.controls) {
    if (c.as_expected) {
      ++caught;
      continue;
    }
    findings.push_back(
        {c.positive
             ? fmt::format("{}Control {} was not caught: every \"no difference\" of the scope {} reads untested.", who,
                           c.name, to_text(c.scope))
             : fmt::format("{}Control {} differed although it cannot: do not trust this run.", who, c.name),
         true});
  }
  if (file.controls.empty())
    findings.push_back({who + "No controls were run: whether the stress works is unknown.", true});
  else
    findings.push_back({fmt::format("{}Controls: {} of {} behaved as they must.", who, caught, file.controls.size())});
}

}  // namespace

std::vector<Finding> find_findings(const std::vector<ResultFile>& files, const std::vector<ComparisonView>& views) {
  std::vector<Finding> findings;
  const auto headlines = make_headlines(views);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto tag = file_tag(i, files.size());
    const auto who = tag.empty() ? "" : tag + ": ";
    rows_in_words(files[i], who, findings);
    networks_in_words(headlines, files[i], who, findings);
    prices_in_words(views, files[i], who, findings);
    if (const auto roofline = roofline_sentence(views, files[i]); !roofline.empty()) findings.push_back({who + roofline});
    reductions_in_words(views, files[i], who, findings);
    divergence_in_words(files[i], who, findings);
    ablation_in_words(files[i], who, findings);
    agreement_in_words(files[i], who, findings);
    claims_in_words(files[i], who, findings);
    controls_in_words(files[i], who, findings);
    const auto busy =
        std::count_if(views.begin(), views.end(), [&](const auto& v) { return v.file == &files[i] && v.busy; });
    if (busy > 0)
      findings.push_back({fmt::format("{}Busy machine: times of {} are ambiguous.", who,
                                      counted(static_cast<std::size_t>(busy), "problem", "problems")),
                          true});
  }
  return findings;
}

}  // namespace detbench::analysis
