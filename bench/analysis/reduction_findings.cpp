// What the reductions of a file say, in words: what memory gave, which way is more accurate and where, what order costs
// under contention, which speed targets were met.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/analysis/ceilings.hpp"
#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/findings.hpp"
#include "bench/analysis/reduction_rows.hpp"

namespace detbench::analysis {
namespace {

std::string ops_of(const std::map<std::string, std::size_t>& counts) {
  std::string text;
  for (const auto& [name, n] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, name);
  return text;
}

void ceilings_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::map<std::string, std::vector<const Ceiling*>> of_op;
  const auto ceilings = measured_ceilings(views, file);
  for (const auto& ceiling : ceilings) of_op[ceiling.op].push_back(&ceiling);
  std::string arithmetic;
  for (const auto& rate : arithmetic_ceilings(views, file))
    arithmetic += fmt::format("{}{} {} {:.4g} GFLOP/s at {}", arithmetic.empty() ? "" : ", ", rate.op == "matmul" ? "products" : "fused multiply-adds", rate.types, rate.gflop_per_s, rate.size);
  if (!arithmetic.empty()) findings.push_back({who + "Arithmetic, measured in this run: " + arithmetic + "."});
  if (of_op.empty()) return;
  std::string text;
  for (const auto& [op, all] : of_op) {
    text += (text.empty() ? "" : "; ") + op.substr(op.find('_') + 1) + " ";
    for (std::size_t i = 0; i < all.size(); ++i)
      text += fmt::format("{}{:.4g} GB/s at {}", i == 0 ? "" : ", ", all[i]->gb_per_s, bytes_in_words(all[i]->buffer_bytes));
  }
  findings.push_back({who + "Memory, measured in this run: " + text + "."});
}

/// The fastest arm in fixed order beside the fastest atomic one: what somebody chooses who asks for bits, or does not.
struct Pair {
  const ComparisonView* view;
  const ArmView *ordered, *atomic;
  ErrorUlp ordered_error, atomic_error;
};

std::string pair_in_words(const Pair& pair) {
  const auto problem = reduction_problem(*pair.view);
  return fmt::format("{} {} ({}): {} {} against {} {}", pair.view->op, problem.shape, problem.distribution, pair.ordered->algorithm,
                     in_words(pair.ordered_error), pair.atomic->algorithm, in_words(pair.atomic_error));
}

/// By how much the one is worse; an exact one is worse by nothing than another.
double times_worse(double error, double other) { return other > 0 ? error / other : error > 0 ? HUGE_VAL : 1; }

void accuracy_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::vector<Pair> pairs;
  std::size_t exact = 0, independent = 0;
  for (const auto& view : views) {
    if (view.file != &file || !is_reduction(view)) continue;
    for (const auto& arm : view.arms)
      if (order_kind(arm) == OrderKind::order_independent)
        if (const auto error = error_of(*arm.record); error && arm.record->accuracy) {
          ++independent;
          if (error->high <= 0.5) ++exact;
        }
    const auto* ordered = fastest_of(view, [](const ArmView& arm) { return order_kind(arm) == OrderKind::fixed_order && error_of(*arm.record); });
    const auto* atomic = fastest_of(view, [](const ArmView& arm) { return is_atomic(arm) && error_of(*arm.record); });
    if (ordered && atomic) pairs.push_back({&view, ordered, atomic, *error_of(*ordered->record), *error_of(*atomic->record)});
  }
  if (independent > 0)
    findings.push_back({fmt::format("{}Error: {} of {} order-independent arms are correctly rounded (at most 0.5 ULP in every output).", who, exact, independent)});
  if (pairs.empty()) return;
  struct Side {
    const char* words;
    const Pair* largest = nullptr;
    double factor = 0;
    std::map<std::string, std::size_t> distributions = {};
    std::size_t count = 0;
  };
  Side worse{"less accurate than"}, better{"more accurate than"};
  std::size_t alike = 0;
  for (const auto& pair : pairs) {
    // The atomic arm has a different error in every run: only outside their range is a difference one of the order.
    const bool is_worse = pair.ordered_error.value > pair.atomic_error.high, is_better = pair.ordered_error.value < pair.atomic_error.low;
    if (!is_worse && !is_better) {
      ++alike;
      continue;
    }
    auto& side = is_worse ? worse : better;
    const double factor = is_worse ? times_worse(pair.ordered_error.value, pair.atomic_error.high) : times_worse(pair.atomic_error.low, pair.ordered_error.value);
    ++side.count;
    ++side.distributions[reduction_problem(*pair.view).distribution];
    if (!side.largest || factor > side.factor) {
      side.largest = &pair;
      side.factor = factor;
    }
  }
  for (const auto* side : {&worse, &better}) {
    if (side->count == 0) {
      findings.push_back({fmt::format("{}Error: in none of {} problems is the fastest fixed order {} the fastest atomic arm.", who, pairs.size(), side->words)});
      continue;
    }
    findings.push_back({fmt::format("{}Error: in {} of {} problems ({}) the fastest fixed order is {} the fastest atomic arm{}; most in {}.", who, side->count, pairs.size(),
                                    ops_of(side->distributions), side->words,
                                    std::isinf(side->factor) ? ", where one of them is exact" : fmt::format(", up to {:.3g} times", side->factor), pair_in_words(*side->largest))});
  }
  if (alike > 0)
    findings.push_back({fmt::format("{}Error: in {} of {} problems the fixed order's lies within the range of the atomic arm's runs, or is the same.", who, alike, pairs.size())});
}

void contention_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  const Json *dearest = nullptr, *cheapest = nullptr;
  const auto rows = contention_rows(views, &file);
  for (const auto& row : rows) {
    if (row["strategy"] != to_text(OrderKind::fixed_order)) continue;
    if (!dearest || row["price"] > (*dearest)["price"]) dearest = &row;
    if (!cheapest || row["price"] < (*cheapest)["price"]) cheapest = &row;
  }
  if (!dearest) return;
  const auto words = [](const Json& row) {
    return fmt::format("{:.3g}x at {:.4g} updates per bin ({}, {})", row["price"].get<double>(), row["updates_per_bin"].get<double>(), row["layout"].get<std::string>(),
                       row["panel"].get<std::string>());
  };
  findings.push_back({fmt::format("{}Contention: fixed order takes {} of the time of atomics{}.", who, words(*cheapest),
                                  dearest == cheapest ? "" : " and " + words(*dearest))});
}

void worst_cases_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  std::map<std::string, std::size_t> reasons;
  std::size_t rows = 0;
  for (const auto& view : views)
    if (view.file == &file)
      for (const auto& arm : view.arms)
        if (arm.tier == Tier::none_can_show && !arm.record->agreement.empty() && order_kind(arm) == OrderKind::unordered) {
          ++rows;
          ++reasons[cannot_show(*arm.record)];
        }
  if (rows == 0) return;
  std::string why;
  for (const auto& [reason, n] : reasons) why += (why.empty() ? "" : "; ") + fmt::format("{} x {}", n, reason);
  findings.push_back({fmt::format("{}Looks repeatable and says nothing: {} unordered {} showed no difference, and none can show there ({}). They count as untested.", who, rows,
                                  rows == 1 ? "row" : "rows", why)});
}

void targets_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  struct Count {
    std::size_t met = 0, all = 0;
    const Json* worst = nullptr;
  };
  std::vector<std::pair<std::string, Count>> targets;
  const auto rows = speed_target_rows(views, file, "");
  for (const auto& row : rows) {
    const auto name = row["target"].get<std::string>();
    auto found = std::find_if(targets.begin(), targets.end(), [&](const auto& t) { return t.first == name; });
    if (found == targets.end()) found = targets.insert(targets.end(), {name, {}});
    const auto verdict = row["verdict"].get<std::string>();
    if (verdict.rfind("not measured", 0) == 0) continue;
    auto& count = found->second;
    ++count.all;
    if (verdict.rfind("met", 0) == 0) ++count.met;
    else count.worst = &row;
  }
  for (const auto& [name, count] : targets) {
    if (count.all == 0) continue;
    std::string text = fmt::format("{}Speed target, {}: met in {} of {}", who, name, count.met, count.all);
    if (count.worst)
      text += fmt::format("; {} reached {:.3g} in {} ({}), bound by {}", (*count.worst)["arm"].get<std::string>(), (*count.worst)["reached"].get<double>(),
                          (*count.worst)["problem"].get<std::string>(), (*count.worst)["verdict"].get<std::string>(), (*count.worst)["bound"].get<std::string>());
    findings.push_back({text + "."});
  }
}

}  // namespace

void reductions_in_words(const std::vector<ComparisonView>& views, const ResultFile& file, const std::string& who, std::vector<Finding>& findings) {
  ceilings_in_words(views, file, who, findings);
  targets_in_words(views, file, who, findings);
  accuracy_in_words(views, file, who, findings);
  contention_in_words(views, file, who, findings);
  worst_cases_in_words(views, file, who, findings);
}

}  // namespace detbench::analysis
