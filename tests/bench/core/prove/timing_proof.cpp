#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "tests/bench/core/fakes.hpp"
#include "tests/bench/core/prove/judge.hpp"

namespace detbench {

using namespace proof;

namespace {

/// Log noise of one sample: `sample` draws what is this sample's alone, `position` is where in the run it lies, 0 to 1.
using Noise = std::function<double(SeededRandom& sample, double position)>;

TimingRow simulate(const std::string& name, std::uint32_t blocks, std::uint32_t pairs, const Noise& noise) {
  TimingRow row;
  row.noise = name;
  row.blocks = blocks;
  Judge judge(row);
  SeededRandom random(1, "prove/" + name + std::to_string(blocks));
  for (std::uint32_t pair = 0; pair < pairs; ++pair) {
    const auto seed = derive_seed(1, "prove/schedule", pair);
    std::vector<Sample> samples[arms];
    for (const auto& slot : make_schedule(arms, blocks, seed)) {
      Sample sample;
      sample.block = slot.block;
      sample.position = slot.position;
      const double position = (slot.block * arms + slot.position) / static_cast<double>(blocks * arms);
      sample.elapsed_s = 1e-3 * factors[slot.arm] * std::exp(noise(random, position));
      samples[slot.arm].push_back(sample);
    }
    judge.add(samples, seed);
  }
  judge.finish();
  return row;
}

/// A chain of multiplications that nothing can shorten.
std::uint64_t spin(std::uint64_t steps) {
  std::uint64_t x = steps | 1;
  for (std::uint64_t i = 0; i < steps; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(x));
  }
  return x;
}

}  // namespace

bool TimingRow::holds() const {
  if (pairs == 0 || equal < 0.93 * pairs) return false;
  // Where the true ratio is known to the last digit. A real spin's is known to the overhead of a call, which intervals
  // of a quiet machine may be narrower than.
  if (simulated && coverage < 0.93 - 2 * std::sqrt(0.95 * 0.05 / pairs)) return false;
  for (int i = 0; i < 3; ++i) {
    // Both shares come from `pairs` trials: three standard deviations of their difference, and a little for the
    // smallest samples. Finding more than promised is no fault.
    const double p = std::clamp(promised[i], 0.5 / pairs, 1 - 0.5 / pairs);
    if (found[i] < promised[i] - 3 * std::sqrt(2 * p * (1 - p) / pairs) - 0.01) return false;
  }
  return true;
}

std::vector<TimingRow> prove_simulated_timing(double scale) {
  const auto pairs = std::max<std::uint32_t>(50, static_cast<std::uint32_t>(std::lround(1000 * scale)));
  const auto normal = [](double spread) -> Noise { return [spread](SeededRandom& random, double) { return spread * random.normal(); }; };
  std::vector<TimingRow> rows;
  rows.push_back(simulate("normal, 1 %", 5, pairs, normal(0.01)));
  rows.push_back(simulate("normal, 1 %", 10, pairs, normal(0.01)));
  rows.push_back(simulate("normal, 1 %", 20, pairs, normal(0.01)));
  rows.push_back(simulate("normal, 1 %", 30, pairs, normal(0.01)));
  rows.push_back(simulate("normal, 3 %", 20, pairs, normal(0.03)));
  rows.push_back(simulate("normal 0.5 %, one sample in ten up to twice as long", 20, pairs, [](SeededRandom& random, double) {
    const double quiet = 0.005 * random.normal();
    return random.below(10) == 0 ? quiet + std::log1p(random.uniform()) : quiet;
  }));
  rows.push_back(simulate("two clocks 5 % apart by chance, 0.5 % each", 20, pairs, [](SeededRandom& random, double) {
    return (random.below(2) ? 0.05 : 0.0) + 0.005 * random.normal();
  }));
  rows.push_back(simulate("slow drift by 20 %, 1 % on top", 20, pairs, [](SeededRandom& random, double position) {
    return 0.2 * std::sin(2 * std::numbers::pi * position) + 0.01 * random.normal();
  }));
  return rows;
}

TimingRow prove_real_timing(const std::string& noise, double scale) {
  TimingRow row;
  row.noise = noise;
  row.simulated = false;
  row.blocks = 20;
  const auto pairs = std::max<std::uint32_t>(50, static_cast<std::uint32_t>(std::lround(1000 * scale)));
  // 20,000 dependent multiplications and additions: some 30 us, four cycles each.
  constexpr double base_steps = 20000;
  std::uint64_t sink = 0;
  std::vector<std::unique_ptr<FakeBench>> benches;
  for (const double factor : factors)
    benches.push_back(std::make_unique<FakeBench>([&sink, steps = static_cast<std::uint64_t>(std::lround(base_steps * factor))](FakeRun&) -> Status {
      sink ^= spin(steps);
      return {};
    }, FakeTraits{.n = 64, .fills_dst = false}));
  TimingSettings settings;
  auto made = make_timing_aids(benches.front()->op->device());
  if (!made) return row;
  auto& aids = *made;
  for (const auto& bench : benches) static_cast<void>(time_sample(*bench->op, *bench->stream, 50, settings, aids));
  std::vector<std::pair<PreparedOp*, Stream*>> prepared;
  for (const auto& bench : benches) prepared.emplace_back(bench->op.get(), bench->stream.get());
  judge_real(row, pairs, 1, prepared, settings, aids);
  return row;
}

}  // namespace detbench
