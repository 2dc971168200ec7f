#include "kernels/cudnn/knob_sweep.hpp"

#include <algorithm>
#include <set>

namespace detbench::cudnn {
namespace {

constexpr std::int64_t most_values = 512;
/// Tries of a walk: at 10 to 60 microseconds each, half a second for the slowest precompiled engine.
constexpr std::uint64_t most_tries = 8192;
/// A walk stops early when it has found so many times the sample.
constexpr std::uint64_t enough = 8;

bool splits_a_sum(int type) {
  return type == CUDNN_KNOB_TYPE_SPLIT_K || type == CUDNN_KNOB_TYPE_SPLIT_K_BUF || type == CUDNN_KNOB_TYPE_SPLIT_K_SLC ||
         type == CUDNN_KNOB_TYPE_SPLIT_P_SLC;
}

/// SplitMix64: the draw only has to be spread out and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t bound) {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % bound;
  }

 private:
  std::uint64_t state_;
};

class Sweep {
 public:
  Sweep(const Engine& engine, const AlgorithmSearch& how) : engine_(engine), how_(how) {
    found_.engine = engine.index;
    found_.combinations = 1;
    for (const auto& knob : engine.knobs) {
      bool ladder = false;
      values_.push_back(knob_values(knob, &ladder));
      found_.ladder = found_.ladder || ladder;
      found_.combinations *= static_cast<double>(values_.back().size());
    }
  }

  std::pair<KnobSweep, std::vector<Configuration>> run(const std::vector<Configuration>& starts) {
    if (found_.combinations <= how_.exhaustive_limit) {
      try_all();
      found_.exhaustive = true;
    } else {
      walk(starts);
      draw();
    }
    found_.drawn = valid_.size();
    return {found_, std::move(valid_)};
  }

 private:
  bool is_valid(const Configuration& configuration) {
    if (!tried_.insert(configuration).second) return false;
    ++found_.tried;
    if (check_quickly(engine_, configuration) != CUDNN_STATUS_SUCCESS) return false;
    ++found_.valid;
    valid_.push_back(configuration);
    return true;
  }

  void try_all() {
    std::vector<std::size_t> at(values_.size(), 0);
    while (true) {
      Configuration configuration{engine_.index, {}};
      for (std::size_t k = 0; k < at.size(); ++k) configuration.knobs[engine_.knobs[k].type] = values_[k][at[k]];
      is_valid(configuration);
      std::size_t k = 0;
      while (k < at.size() && ++at[k] == values_[k].size()) at[k++] = 0;
      if (k == at.size()) return;
    }
  }

  std::int64_t random_value(std::size_t knob, Random& random) { return values_[knob][random.below(values_[knob].size())]; }

  void walk(const std::vector<Configuration>& starts) {
    Random random(how_.seed * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(engine_.index));
    for (const auto& start : starts)
      if (start.knobs.size() == engine_.knobs.size()) is_valid(start);
    // Repeats of tried points cost no check, but must not go on for ever either.
    for (std::uint64_t step = 0; step < 4 * most_tries && found_.tried < most_tries && found_.valid < enough * how_.sample; ++step) {
      Configuration point{engine_.index, {}};
      // An independent draw now and then, so that parts of the valid set that no walk connects are found as well.
      if (valid_.empty() || random.below(4) == 0) {
        for (std::size_t k = 0; k < values_.size(); ++k) point.knobs[engine_.knobs[k].type] = random_value(k, random);
      } else {
        point = valid_[random.below(valid_.size())];
        for (auto changes = 1 + random.below(2); changes > 0; --changes) {
          const auto k = random.below(values_.size());
          point.knobs[engine_.knobs[k].type] = random_value(k, random);
        }
      }
      is_valid(point);
    }
  }

  /// Leaves `sample` of the valid ones, each as likely as the next.
  void draw() {
    Random random(how_.seed * 0xBF58476D1CE4E5B9u + static_cast<std::uint64_t>(engine_.index));
    std::sort(valid_.begin(), valid_.end());
    const std::size_t wanted = std::min<std::size_t>(how_.sample, valid_.size());
    for (std::size_t i = 0; i < wanted; ++i) std::swap(valid_[i], valid_[i + random.below(valid_.size() - i)]);
    valid_.resize(wanted);
    std::sort(valid_.begin(), valid_.end());
  }

  const Engine& engine_;
  const AlgorithmSearch& how_;
  std::vector<std::vector<std::int64_t>> values_;
  std::set<Configuration> tried_;
  std::vector<Configuration> valid_;
  KnobSweep found_;
};

}  // namespace

std::vector<std::int64_t> knob_values(const Knob& knob, bool* ladder) {
  std::vector<std::int64_t> values;
  const bool thin = splits_a_sum(knob.type) || knob.count() > most_values;
  if (thin) {
    std::set<std::int64_t> rungs{knob.minimum, knob.minimum + (knob.count() - 1) * knob.stride};
    for (std::int64_t v = 1; v <= knob.maximum; v *= 2)
      if (v >= knob.minimum && (v - knob.minimum) % knob.stride == 0) rungs.insert(v);
    values.assign(rungs.begin(), rungs.end());
  } else {
    for (std::int64_t v = knob.minimum; v <= knob.maximum; v += knob.stride) values.push_back(v);
  }
  if (ladder) *ladder = static_cast<std::int64_t>(values.size()) < knob.count();
  return values;
}

std::pair<KnobSweep, std::vector<Configuration>> sweep_knobs(const Engine& engine, const AlgorithmSearch& how, const std::vector<Configuration>& starts) {
  return Sweep(engine, how).run(starts);
}

}  // namespace detbench::cudnn
