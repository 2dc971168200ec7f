#include "bench/core/timing.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;

ForeignLoadMeter& meter_of(const TimingSettings& settings) {
  static ForeignLoadMeter machine(ForeignLoadMeter::machine());
  return settings.meter ? *settings.meter : machine;
}

std::int64_t involuntary_switches() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

/// Seconds of all runs together, by the clock that sees the work: the host's on a CPU, where enqueue() does it, and the
/// stream's own events on a GPU, where the host only queues it.
Result<double> elapsed(PreparedOp& op, Stream& stream, std::uint32_t iterations) {
  if (op.device().kind() == DeviceKind::cpu) {
    const auto start = Clock::now();
    for (std::uint32_t i = 0; i < iterations; ++i)
      if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  auto begin = op.device().make_event();
  if (!begin) return tl::unexpected(begin.error());
  auto end = op.device().make_event();
  if (!end) return tl::unexpected(end.error());
  if (auto done = stream.record(**begin); !done) return tl::unexpected(done.error());
  for (std::uint32_t i = 0; i < iterations; ++i)
    if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
  if (auto done = stream.record(**end); !done) return tl::unexpected(done.error());
  if (auto done = stream.wait(); !done) return tl::unexpected(done.error());
  return (*end)->seconds_since(**begin);
}

Status make_ready(PreparedOp& op) {
  if (auto done = op.device().activate(); !done) return done;
  if (auto done = op.reset(); !done) return done;
  return op.wait();
}

}  // namespace

Result<std::uint32_t> calibrate(PreparedOp& op, const TimingSettings& settings) {
  if (auto done = make_ready(op); !done) return tl::unexpected(done.error());
  // The first run pays for lazy set-up and cold pages and says nothing about the length of a sample.
  if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
  if (auto done = op.wait(); !done) return tl::unexpected(done.error());
  double shortest_s = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (auto done = make_ready(op); !done) return tl::unexpected(done.error());
    const auto start = Clock::now();
    if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
    if (auto done = op.wait(); !done) return tl::unexpected(done.error());
    const double run_s = std::chrono::duration<double>(Clock::now() - start).count();
    shortest_s = attempt == 0 ? run_s : std::min(shortest_s, run_s);
    if (run_s >= settings.minimum_sample_s) break;  // one run is a sample: no need to pay for more
  }
  const double wanted = std::ceil(settings.minimum_sample_s / std::max(shortest_s, 1e-9));
  return static_cast<std::uint32_t>(std::clamp(wanted, 1.0, static_cast<double>(std::max(1u, settings.maximum_iterations))));
}

Result<Sample> time_sample(PreparedOp& op, Stream& stream, std::uint32_t iterations, const TimingSettings& settings) {
  if (iterations == 0) return invalid_input("a sample of 0 iterations; at least 1 is needed");
  if (auto done = make_ready(op); !done) return tl::unexpected(done.error());
  auto& meter = meter_of(settings);
  meter.begin();
  const auto switches = involuntary_switches();
  auto total_s = elapsed(op, stream, iterations);
  const auto switched = involuntary_switches() - switches;
  const auto reading = meter.end(settings.foreign_share);
  if (!total_s) return tl::unexpected(total_s.error());
  Sample sample;
  sample.elapsed_s = *total_s / iterations;
  sample.iterations = iterations;
  sample.involuntary_switches = switched;
  sample.foreign_s = reading.foreign_s;
  sample.foreign_load = reading.loaded;
  return sample;
}

}  // namespace detbench
