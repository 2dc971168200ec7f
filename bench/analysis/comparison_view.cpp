#include "bench/analysis/comparison_view.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "bench/analysis/provenance.hpp"
#include "kernels/problem.hpp"

namespace detbench::analysis {
namespace {

std::string problem_of(const std::string& id) { return id.substr(0, id.rfind('/')); }
std::string part(const std::string& text, char mark, std::size_t which) {
  std::size_t at = 0;
  for (; which > 0 && at != std::string::npos; --which)
    at = text.find(mark, at) == std::string::npos ? at : text.find(mark, at) + 1;
  return text.substr(at, text.find(mark, at) - at);
}

ArmView view_arm(const Record& record, const ComparisonInfo* info) {
  ArmView arm;
  arm.record = &record;
  arm.algorithm = record.id.substr(record.id.rfind('/') + 1);
  arm.provider = part(arm.algorithm, ':', 0);
  arm.tier = tier_of(record);
  // A row that failed while being timed keeps its samples, but nothing is published from them.
  if (!info || !record.timing || record.status != RunStatus::ok) return arm;
  const auto& samples = record.timing->samples;
  arm.reporting = samples_of(samples, Half::reporting, info->blocks, info->schedule_seed);
  arm.time = summarize(samples, Half::reporting, info->blocks, info->schedule_seed);
  if (const auto chosen = summarize(samples, Half::choosing, info->blocks, info->schedule_seed))
    arm.choosing_s = chosen->median_s;
  return arm;
}

bool runs_twice(const ComparisonInfo& info, const ArmView& arm) {
  return info.twin_of == arm.algorithm || info.twin_of == arm.record->id;
}

/// `value(arm)` is smaller-is-better beside the time; arms without one take no part.
template <class Value>
void mark_frontier(std::vector<ArmView>& arms, bool ArmView::*flag, Value value) {
  for (auto& arm : arms) {
    const auto mine = value(arm);
    if (!arm.timed() || !mine) continue;
    arm.*flag = std::none_of(arms.begin(), arms.end(), [&](const ArmView& other) {
      const auto theirs = value(other);
      if (&other == &arm || !other.timed() || !theirs) return false;
      const double t = *other.relative, u = *arm.relative;
      return t <= u && *theirs <= *mine && (t < u || *theirs < *mine);
    });
  }
}

void compare_arms(ComparisonView& view) {
  std::stable_sort(view.arms.begin(), view.arms.end(), [](const ArmView& a, const ArmView& b) {
    if (a.timed() != b.timed()) return a.timed();
    return a.timed() && a.time->median_s < b.time->median_s;
  });
  for (std::size_t i = 0; i < view.arms.size(); ++i)
    if (view.arms[i].choosing_s && view.arms[i].timed() &&
        (!view.fastest || *view.arms[i].choosing_s < *view.arms[*view.fastest].choosing_s))
      view.fastest = i;
  std::uint32_t busy = 0, timed = 0;
  for (const auto& arm : view.arms) {
    if (!arm.timed()) continue;
    ++timed;
    if (is_busy(arm.record->timing->samples)) ++busy;
    if (view.info && runs_twice(*view.info, arm))
      view.twin_band = paired_ratio(
          arm.reporting,
          samples_of(view.info->twin_samples, Half::reporting, view.info->blocks, view.info->schedule_seed),
          view.info->schedule_seed);
  }
  view.busy = timed > 0 && busy * 2 > timed;
  if (view.fastest)
    for (auto& arm : view.arms) {
      arm.ratio = ratio_between(view, view.arms[*view.fastest], arm);
      if (arm.ratio && !view.busy) arm.verdict = judge(*arm.ratio, view.twin_band);
    }
  // What is drawn is what dominates. Without a fastest arm any common unit does.
  const auto* unit = view.fastest ? &view.arms[*view.fastest] : view.arms.empty() ? nullptr : &view.arms.front();
  for (auto& arm : view.arms)
    if (arm.timed()) arm.relative = arm.ratio ? arm.ratio->middle : arm.time->median_s / unit->time->median_s;
  mark_frontier(view.arms, &ArmView::frontier_agreement,
                [](const ArmView& a) { return std::optional<double>(-static_cast<double>(a.tier)); });
  mark_frontier(view.arms, &ArmView::frontier_error, [](const ArmView& a) {
    return a.record->verification ? std::optional<double>(static_cast<double>(a.record->verification->max_ulp))
                                  : std::nullopt;
  });
  mark_frontier(view.arms, &ArmView::frontier_workspace, [](const ArmView& a) {
    return a.record->workspace_bytes ? std::optional<double>(static_cast<double>(*a.record->workspace_bytes))
                                     : std::nullopt;
  });
}

/// "96>96 g96 48x48 k3 s2" for a convolution's shape: what tells layers apart at a glance. Other shapes stay as they are.
std::string short_shape(const std::string& shape) {
  const auto fields = parse_shape(split_words(shape).fields);
  if (!fields) return shape;
  std::map<std::string, std::string> of(fields->begin(), fields->end());
  for (const char* key : {"ic", "oc", "ih", "iw", "kh", "kw", "sh", "sw", "g"})
    if (!of.contains(key)) return shape;
  const auto pair = [](const std::string& a, const std::string& b) { return a == b ? a : a + "x" + b; };
  return of["ic"] + ">" + of["oc"] + (of["g"] == "1" ? "" : " g" + of["g"]) + " " + of["ih"] + "x" + of["iw"] + " k" +
         pair(of["kh"], of["kw"]) + " s" + pair(of["sh"], of["sw"]);
}

/// "block_3_expand" of "mobilenet_v2_alpha1.0:block_3_expand", "+2" when others share the problem; else the shape.
std::string short_label(const ComparisonView& view) {
  if (!view.info || view.info->used_by.empty()) return short_shape(part(view.problem, '/', 1));
  const auto& first = view.info->used_by.front();
  const auto colon = first.find(':');
  std::string label =
      colon == std::string::npos ? first + " " + short_shape(part(view.problem, '/', 1)) : first.substr(colon + 1);
  if (view.info->used_by.size() > 1) label += " +" + std::to_string(view.info->used_by.size() - 1);
  return label;
}

/// What tells equal labels apart is added, least first: layout, types, shape.
void make_labels_unique(std::vector<ComparisonView>& views) {
  const auto key = [](const ComparisonView& v) { return v.group() + "\n" + v.label; };
  for (const std::size_t extra : {3u, 2u, 1u}) {
    std::map<std::string, std::set<std::string>> values;
    std::map<std::string, int> count;
    for (const auto& v : views) {
      values[key(v)].insert(part(v.problem, '/', extra));
      ++count[key(v)];
    }
    std::vector<std::string> additions(views.size());
    for (std::size_t i = 0; i < views.size(); ++i)
      if (count[key(views[i])] > 1 && values[key(views[i])].size() > 1)
        additions[i] = " " + part(views[i].problem, '/', extra);
    for (std::size_t i = 0; i < views.size(); ++i) views[i].label += additions[i];
  }
}

}  // namespace

std::optional<Interval> ComparisonView::symmetric_band() const {
  if (!twin_band) return std::nullopt;
  const double reach = std::max(twin_band->high, 1 / twin_band->low);
  return Interval{1 / reach, 1, reach};
}

std::optional<Interval> ratio_between(const ComparisonView& view, const ArmView& base, const ArmView& arm) {
  if (!view.info || !base.timed() || !arm.timed()) return std::nullopt;
  if (&base == &arm || base.record == arm.record) return Interval{1, 1, 1};
  return paired_ratio(base.reporting, arm.reporting, view.info->schedule_seed);
}

ComparisonView narrowed(const ComparisonView& view, const std::function<bool(const ArmView&)>& keep) {
  ComparisonView some = view;
  std::erase_if(some.arms, [&](const ArmView& arm) { return !keep(arm); });
  some.fastest.reset();
  for (auto& arm : some.arms) {
    arm.ratio.reset();
    arm.relative.reset();
    arm.verdict = TimingVerdict::ambiguous;
    arm.frontier_agreement = arm.frontier_error = arm.frontier_workspace = false;
  }
  compare_arms(some);
  return some;
}

std::vector<ComparisonView> view_comparisons(const std::vector<ResultFile>& files) {
  std::vector<ComparisonView> views;
  for (std::size_t f = 0; f < files.size(); ++f) {
    const auto& file = files[f];
    std::map<std::string, std::size_t> at;
    const auto view_of = [&](const std::string& problem) -> ComparisonView& {
      const auto [found, is_new] = at.emplace(problem, views.size());
      if (is_new) {
        views.emplace_back();
        views.back().file = &file;
        views.back().tag = file_tag(f, files.size());
        views.back().problem = problem;
        views.back().op = part(problem, '/', 0);
      }
      return views[found->second];
    };
    for (const auto& info : file.comparisons) {
      auto& view = view_of(info.problem);
      view.info = &info;
      view.suite = info.suite;
    }
    for (const auto& record : file.records) {
      auto& view = view_of(problem_of(record.id));
      if (view.suite.empty()) view.suite = record.suite;
      view.arms.push_back(view_arm(record, view.info));
    }
  }
  for (auto& view : views) {
    compare_arms(view);
    view.label = short_label(view);
  }
  make_labels_unique(views);
  return views;
}

}  // namespace detbench::analysis
