#include "kernels/cudnn/knob_sweep.hpp"

#include <algorithm>
#include <set>

namespace detbench::cudnn {
namespace {

constexpr std::int64_t most_values = 512;
/// At 10 to 60 microseconds each, a few seconds for the slowest precompiled engine.
constexpr std::uint64_t most_tries = 65536;

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

  std::pair<KnobSweep, std::vector<Configuration>> run() {
    if (support_of(check_quickly(engine_, {engine_.index, {}}), engine_) == Support::unknown) {
      found_.unknown = true;
      return {found_, {}};
    }
    // Engines that are compiled at run time take milliseconds to answer: the short way for them, whatever their number.
    if (found_.combinations <= how_.exhaustive_limit && !engine_.has_behaviour(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) {
      try_all();
      found_.exhaustive = true;
    } else {
      Random random(how_.seed * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(engine_.index));
      // Where the tries do not suffice, what was reached must not be the low values alone.
      for (auto& values : values_) shuffle(values, values.size(), random);
      extend({engine_.index, {}}, 0);
      found_.complete = found_.tried < most_tries;
      draw(random);
    }
    found_.drawn = valid_.size();
    return {found_, std::move(valid_)};
  }

 private:
  bool accepted(const Configuration& configuration) {
    ++found_.tried;
    return check_quickly(engine_, configuration) == CUDNN_STATUS_SUCCESS;
  }

  void take(const Configuration& configuration) {
    ++found_.valid;
    valid_.push_back(configuration);
  }

  /// Sets knob after knob, those behind it left to the engine, and goes on from what is accepted.
  void extend(const Configuration& prefix, std::size_t knob) {
    if (knob == values_.size()) return take(prefix);
    for (const auto value : values_[knob]) {
      if (found_.tried >= most_tries) return;
      auto longer = prefix;
      longer.knobs[engine_.knobs[knob].type] = value;
      if (accepted(longer)) extend(longer, knob + 1);
    }
  }

  void try_all() {
    std::vector<std::size_t> at(values_.size(), 0);
    while (true) {
      Configuration configuration{engine_.index, {}};
      for (std::size_t k = 0; k < at.size(); ++k) configuration.knobs[engine_.knobs[k].type] = values_[k][at[k]];
      if (accepted(configuration)) take(configuration);
      std::size_t k = 0;
      while (k < at.size() && ++at[k] == values_[k].size()) at[k++] = 0;
      if (k == at.size()) return;
    }
  }

  template <class T>
  static void shuffle(std::vector<T>& all, std::size_t first, Random& random) {
    for (std::size_t i = 0; i < first; ++i) std::swap(all[i], all[i + random.below(all.size() - i)]);
  }

  /// Leaves `sample` of the valid ones, each as likely as the next.
  void draw(Random& random) {
    std::sort(valid_.begin(), valid_.end());
    const std::size_t wanted = std::min<std::size_t>(how_.sample, valid_.size());
    shuffle(valid_, wanted, random);
    valid_.resize(wanted);
    std::sort(valid_.begin(), valid_.end());
  }

  const Engine& engine_;
  const AlgorithmSearch& how_;
  std::vector<std::vector<std::int64_t>> values_;
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

std::pair<KnobSweep, std::vector<Configuration>> sweep_knobs(const Engine& engine, const AlgorithmSearch& how) {
  return Sweep(engine, how).run();
}

}  // namespace detbench::cudnn
