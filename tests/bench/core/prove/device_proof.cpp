// The proof on a device that is really there: what the rows of detection_proof.cpp and timing_proof.cpp show of the arithmetic,
// these show of the device's memory, digests, stressors, configurations, launch gate and events.
#include <algorithm>
#include <cmath>

#include "bench/core/agreement.hpp"
#include "bench/core/controls.hpp"
#include "tests/bench/core/fakes.hpp"
#include "tests/bench/core/prove/copies.hpp"
#include "tests/bench/core/prove/judge.hpp"

namespace detbench {

using namespace proof;

namespace {

constexpr std::int64_t elements_of_a_step = 4096;  ///< sizes of arms are multiples of it, so that alignment is no difference

std::uint32_t trials_of(std::uint32_t published, double scale) { return std::max<std::uint32_t>(2, static_cast<std::uint32_t>(std::lround(published * scale))); }

/// A copy prepared on a device of its own.
struct CopyBench {
  CopyOperation operation;
  std::unique_ptr<Device> device;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<TensorStore> store;
  std::unique_ptr<PreparedOp> op;

  CopyBench(std::int64_t n, Planted planted) : operation(n, std::move(planted)) {}
  Status prepare(const MakeDevice& make_device) {
    auto made = make_device({});
    if (!made) return tl::unexpected(made.error());
    device = std::move(*made);
    if (auto done = device->activate(); !done) return done;
    auto on = device->make_stream();
    if (!on) return tl::unexpected(on.error());
    stream = std::move(*on);
    store = std::make_unique<TensorStore>(*device, *stream);
    Algorithm algorithm;
    algorithm.provider = "copy";
    algorithm.name = "device";
    auto prepared = PreparedOp::make(operation, {"copy", "n", "f32", "vector"}, algorithm, {}, *device, *stream, *store);
    if (!prepared) return tl::unexpected(prepared.error());
    op = std::move(*prepared);
    return {};
  }
};

/// The last element takes its neighbour's value in a share p of runs, the baseline's included.
Result<DetectionRow> planted_copies(double p, std::uint32_t n, std::uint32_t trials, std::int64_t elements, const MakeDevice& make_device) {
  const double samples = n + 1.0;
  char text[96];
  std::snprintf(text, sizeof text, "one element of 2^%d, in a share of %g of runs", static_cast<int>(std::lround(std::log2(elements))), p);
  DetectionRow row{"repeat", text, std::to_string(n) + " runs", trials, 0, 1 - std::pow(1 - p, samples) - std::pow(p, samples)};
  auto random = std::make_shared<SeededRandom>(0, "prove");
  CopyBench bench(elements, [random, p] { return random->uniform() < p; });
  if (auto done = bench.prepare(make_device); !done) return tl::unexpected(done.error());
  for (std::uint32_t trial = 0; trial < trials; ++trial) {
    *random = SeededRandom(derive_seed(5, text, trial), "prove");
    if (auto ran = bench.op->run(); !ran) return tl::unexpected(ran.error());
    const auto baseline = capture_baseline(*bench.op);
    if (!baseline) return tl::unexpected(baseline.error());
    std::optional<Witness> witness;
    const auto stage = observe(*bench.op, *baseline, "idle", n, witness);
    if (!stage) return tl::unexpected(stage.error());
    row.found += stage->differing_runs > 0 && witness && witness->differing == 1;
  }
  return row;
}

ProbeSettings settings_for(Scope scope, std::uint64_t seed) {
  ProbeSettings settings;
  settings.inputs.seed = seed;
  settings.base.threads = 2;
  settings.repeat = scope == Scope::repeat ? 5 : 2;
  settings.load = scope == Scope::load ? 5 : 0;
  settings.configurations = scope == Scope::placement || scope == Scope::partition || scope == Scope::capture ? 2 : 0;
  settings.batches = scope == Scope::batch ? 2 : 0;
  for (const auto other : all_scopes)
    if (other != scope && other != Scope::repeat) settings.left_out.push_back(other);
  return settings;
}

ArmReport probe_control(const char* name, const ProbeSettings& settings, const MakeDevice& make_device) {
  static const auto operation = make_control_operation();
  Algorithm algorithm;
  algorithm.provider = "control";
  algorithm.name = name;
  ReferenceCache references;
  return probe_arm(*operation, {"control", "n65536", "f32_f32_strict", "vector"}, algorithm, settings, make_device, references);
}

std::string watched_words(Scope scope) {
  switch (scope) {
    case Scope::repeat: return "5 runs";
    case Scope::load: return "5 runs under each stressor";
    default: return "2 configurations of each kind";
  }
}

}  // namespace

Result<std::vector<DetectionRow>> prove_device_detection(DeviceKind kind, const MakeDevice& make_device, double scale) {
  std::vector<DetectionRow> rows;
  struct Plan {
    double p;
    std::uint32_t n, trials;
    std::int64_t elements;
  };
  for (const auto& [p, n, trials, elements] : {Plan{0.5, 5, 400, 64}, {0.1, 10, 400, 64}, {0.01, 100, 200, 64}, {0.1, 10, 100, 1 << 20}}) {
    auto row = planted_copies(p, n, trials_of(trials, scale), elements, make_device);
    if (!row) return tl::unexpected(row.error());
    rows.push_back(std::move(*row));
  }
  for (const auto& control : control_cases(kind)) {
    if (control.scope == Scope::process) continue;  // prove_process_scope()
    const std::string hazard = std::string("control `") + control.algorithm + "`";
    DetectionRow row{std::string(to_text(control.scope)), control.positive ? hazard + ", a real hazard" : "nothing: " + hazard, watched_words(control.scope),
                     trials_of(20, scale), 0, control.positive ? 1.0 : 0.0};
    for (std::uint32_t trial = 0; trial < row.trials; ++trial) {
      const auto report = probe_control(control.algorithm, settings_for(control.scope, trial + 1), make_device);
      const auto& seen = scope_of(report, control.scope);
      // A negative control that did not run is no quiet one.
      if (control.positive) row.found += report.status == RunStatus::ok && control_caught(seen);
      else row.found += report.status != RunStatus::ok || seen.verdict != ScopeVerdict::no_difference;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<TimingRow> prove_device_timing(const std::string& noise, const MakeDevice& make_device, std::int64_t bytes, std::uint32_t pairs) {
  TimingRow row;
  row.noise = noise;
  row.simulated = false;
  row.blocks = 20;
  // One device and stream for all arms, as in the timing worker.
  auto made = make_device({});
  if (!made) return tl::unexpected(made.error());
  const auto device = std::move(*made);
  if (auto done = device->activate(); !done) return tl::unexpected(done.error());
  auto stream = device->make_stream();
  if (!stream) return tl::unexpected(stream.error());
  TensorStore store(*device, **stream);
  Algorithm algorithm;
  algorithm.provider = "copy";
  algorithm.name = "device";
  std::vector<std::unique_ptr<CopyOperation>> operations;
  std::vector<std::unique_ptr<PreparedOp>> ops;
  std::vector<std::pair<PreparedOp*, Stream*>> prepared;
  for (const double factor : factors) {
    const auto steps = std::llround(static_cast<double>(bytes) * factor / (4.0 * elements_of_a_step));
    operations.push_back(std::make_unique<CopyOperation>(std::max<std::int64_t>(1, steps) * elements_of_a_step, Planted()));
    auto op = PreparedOp::make(*operations.back(), {"copy", "n", "f32", "vector"}, algorithm, {}, *device, **stream, store);
    if (!op) return tl::unexpected(op.error());
    ops.push_back(std::move(*op));
    prepared.emplace_back(ops.back().get(), stream->get());
  }
  TimingSettings settings;
  auto aids = make_timing_aids(*device);
  if (!aids) return tl::unexpected(aids.error());
  const auto iterations = calibrate(*ops.front(), settings);
  if (!iterations) return tl::unexpected(iterations.error());
  for (const auto& op : ops)
    if (auto warm = time_sample(*op, **stream, 5, settings, *aids); !warm) return tl::unexpected(warm.error());
  judge_real(row, pairs, *iterations, prepared, settings, *aids);
  return row;
}

}  // namespace detbench
