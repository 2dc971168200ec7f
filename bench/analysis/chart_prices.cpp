// Rows of the three prices of a reduction (time, bits, error), and of what order costs under contention.
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "bench/analysis/chart_data.hpp"
#include "bench/analysis/reduction_rows.hpp"
#include "bench/records/field_writer.hpp"

namespace detbench::analysis {
namespace {


using records::write::finite_or_null;

/// Of each op, type and distribution the largest problem; distributions of the commonest type first, then the rest.
std::vector<const ComparisonView*> largest_of_each_kind(const std::vector<ComparisonView>& views, std::size_t most) {
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, const ComparisonView*> largest;
  std::vector<Key> order;
  for (const auto& view : views) {
    if (!is_reduction(view) || !view.info || !view.info->bytes) continue;
    const auto timed = std::count_if(view.arms.begin(), view.arms.end(), [](const ArmView& arm) { return arm.timed() && error_of(*arm.record); });
    if (timed < 2) continue;
    const auto problem = reduction_problem(view);
    const Key key{view.group(), problem.types, problem.distribution};
    auto& best = largest[key];
    if (!best) order.push_back(key);
    // A layout in which nothing can show says less about bits than any other.
    const auto worth = [](const ComparisonView& v) { return std::pair(std::none_of(v.arms.begin(), v.arms.end(), [](const ArmView& a) { return a.tier == Tier::none_can_show; }), *v.info->bytes); };
    if (!best || worth(view) > worth(*best)) best = &view;
  }
  // Round and round over the ops, so that one with many problems does not push out the others.
  std::map<std::string, int> of_op;
  std::vector<std::pair<int, Key>> ranked;
  for (const auto& key : order) ranked.emplace_back(of_op[std::get<0>(key)]++, key);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (ranked.size() > most) ranked.resize(most);
  std::vector<const ComparisonView*> chosen;
  for (const auto& key : order)
    if (std::any_of(ranked.begin(), ranked.end(), [&](const auto& r) { return r.second == key; })) chosen.push_back(largest[key]);
  return chosen;
}

/// Where a mark stands in its panel: both axes from 0 to 1, as the specification draws them (log, symlog).
struct Place {
  double x, y;
};
double symlog(double value) { return std::log1p(value / 0.5); }

/// The next of 1, 2, 5, 10, ... below or above a positive value.
double round_below(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  return power * (value >= 5 * power ? 5 : value >= 2 * power ? 2 : 1);
}
double round_above(double value) {
  const double below = round_below(value);
  if (below >= value) return value;
  const double power = std::pow(10, std::floor(std::log10(value)));
  return below >= 5 * power ? 10 * power : below >= 2 * power ? 5 * power : 2 * power;
}

/// Texts for the marks that have room for one: the fastest of every order first, then from left to right.
void label_marks(Json& rows, std::size_t first) {
  if (first == rows.size()) return;
  double fast = 1e300, slow = 0, worst = 0;
  for (std::size_t i = first; i < rows.size(); ++i) {
    const double t = rows[i]["time_us"];
    fast = std::min(fast, t);
    slow = std::max(slow, t);
    worst = std::max(worst, rows[i]["error_ulp"].get<double>());
  }
  // The axis ends at round numbers, so that even a narrow range has two of them.
  fast = round_below(fast);
  slow = std::max(round_above(slow), 2 * fast);
  for (std::size_t i = first; i < rows.size(); ++i) {
    rows[i]["axis_low"] = fast;
    rows[i]["axis_high"] = slow;
  }
  const auto place_of = [&](const Json& row) {
    const double width = std::max(std::log(slow / fast), 0.1), height = std::max(symlog(worst), 0.1);
    return Place{std::log(row["time_us"].get<double>() / fast) / width, symlog(row["error_ulp"].get<double>()) / height};
  };
  std::vector<std::size_t> turn;
  std::map<std::string, bool> has;
  for (const bool firsts : {true, false})
    for (std::size_t i = first; i < rows.size(); ++i) {
      const bool is_first = !has[rows[i]["order"].get<std::string>()];
      if (firsts && is_first) has[rows[i]["order"].get<std::string>()] = true;
      if (std::find(turn.begin(), turn.end(), i) == turn.end() && (!firsts || is_first)) turn.push_back(i);
    }
  struct Box {
    double left, right, low, high;
  };
  // A panel is some 430 x 230 units wide; a letter takes 5.6 and a line 11.
  constexpr double letter = 5.6 / 430, line = 12.0 / 230, gap = 9.0 / 430;
  std::vector<Box> taken;
  for (std::size_t i = first; i < rows.size(); ++i) {
    const auto p = place_of(rows[i]);
    taken.push_back({p.x - gap * 0.7, p.x + gap * 0.7, p.y - line * 0.5, p.y + line * 0.5});
  }
  for (const auto i : turn) {
    auto& row = rows[i];
    row["label"] = "";
    row["label_side"] = "right";
    const auto p = place_of(row);
    const auto text = row["algorithm"].get<std::string>();
    const double length = letter * static_cast<double>(text.size());
    for (const bool right : {p.x < 0.5, p.x >= 0.5}) {
      const Box box{right ? p.x + gap : p.x - gap - length, right ? p.x + gap + length : p.x - gap, p.y - line / 2, p.y + line / 2};
      if (box.left < -0.04 || box.right > 1.04) continue;
      const bool covers = std::any_of(taken.begin(), taken.end(), [&](const Box& other) {
        return box.left < other.right && other.left < box.right && box.low < other.high && other.low < box.high;
      });
      if (covers) continue;
      taken.push_back(box);
      row["label"] = text;
      row["label_side"] = right ? "right" : "left";
      break;
    }
  }
}

}  // namespace

std::string observed_words(const ArmView& arm) { return std::string(to_text(arm.tier)); }

Json three_price_rows(const std::vector<ComparisonView>& views, std::size_t most_problems) {
  Json rows = Json::array();
  int rank = 0;
  for (const auto* view : largest_of_each_kind(views, most_problems)) {
    const auto first = rows.size();
    const auto problem = reduction_problem(*view);
    for (const auto& arm : view->arms) {
      const auto error = arm.timed() ? error_of(*arm.record) : std::nullopt;
      if (!error) continue;
      const auto& accuracy = arm.record->accuracy;
      rows.push_back({{"panel", view->group() + "  " + problem.shape + "  " + problem.types},
                      {"panel_rank", rank},
                      {"algorithm", arm.algorithm},
                      {"provider", arm.provider},
                      {"claim", claim_word(*arm.record)},
                      {"observed", observed_words(arm)},
                      {"order", to_text(order_kind(arm))},
                      {"time_us", arm.time->median_s * us},
                      {"gb_per_s", *view->info->bytes / arm.time->median_s / 1e9},
                      {"error_ulp", error->value},
                      {"error_low", error->low},
                      {"error_high", error->high},
                      {"relative_error", accuracy ? finite_or_null(accuracy->relative_error) : Json()},
                      {"condition", accuracy ? finite_or_null(accuracy->condition) : Json()},
                      {"replay", arm.record->replay}});
    }
    label_marks(rows, first);
    ++rank;
  }
  return rows;
}

Json contention_rows(const std::vector<ComparisonView>& views, const ResultFile* only) {
  Json rows = Json::array();
  for (const auto& view : views) {
    if (!is_reduction(view) || (only && view.file != only)) continue;
    const auto problem = reduction_problem(view);
    if (!problem.updates_per_bin) continue;
    // Partials of two threads cannot show a difference either: they stand for atomics only where no other arm does.
    const auto* atomic = fastest_of(view, [](const ArmView& arm) { return is_atomic(arm) && cannot_show(*arm.record).empty(); });
    if (!atomic) atomic = fastest_of(view, is_atomic);
    if (!atomic) continue;
    const auto why = cannot_show(*atomic->record);
    for (const auto kind : {OrderKind::fixed_order, OrderKind::order_independent}) {
      const auto* ordered = fastest_of(view, [&](const ArmView& arm) { return order_kind(arm) == kind; });
      if (!ordered) continue;
      const auto ratio = time_ratio(view, *atomic, *ordered);
      rows.push_back({{"panel", view.group() + "  " + problem.types + (problem.distribution == "centred" ? "" : "  " + problem.distribution)},
                      {"strategy", to_text(kind)},
                      {"layout", problem.layout},
                      {"updates_per_bin", *problem.updates_per_bin},
                      {"updates", finite_or_null(problem.updates)},
                      {"price", ratio.middle},
                      {"low", ratio.interval ? Json(ratio.interval->low) : Json()},
                      {"high", ratio.interval ? Json(ratio.interval->high) : Json()},
                      {"shows", why.empty() ? "yes" : "no"},
                      {"why", why},
                      {"seen", to_text(atomic->tier)},
                      {"atomic", atomic->algorithm},
                      {"ordered", ordered->algorithm},
                      {"problem", problem.shape},
                      {"verdict", view.busy ? "ambiguous: busy machine" : ""},
                      {"replay", ordered->record->replay}});
    }
  }
  return rows;
}

}  // namespace detbench::analysis
