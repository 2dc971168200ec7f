#include "bench/core/timing.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "kernels/device/gpu_properties.hpp"

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

/// Seconds of all runs together by the host's clock, which sees the work where enqueue() does it.
Result<double> elapsed_on_host(PreparedOp& op, std::uint32_t iterations) {
  const auto start = Clock::now();
  for (std::uint32_t i = 0; i < iterations; ++i)
    if (auto done = op.enqueue(); !done) return tl::unexpected(done.error());
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct GpuTime {
  double total_s = 0;
  bool launches_exposed = false;
};

/// Flush, event, run, event, `iterations` times, queued behind a closed gate. The flush does three things: every run
/// starts with the same cold L2; its tens of microseconds hide the launches of the next run from the device; and it
/// keeps the events of one run from touching the next run.
Result<GpuTime> elapsed_on_gpu(PreparedOp& op, Stream& stream, std::uint32_t iterations, const TimingSettings& settings,
                               LaunchGate& gate) {
  std::vector<std::unique_ptr<Event>> begins, ends;
  for (std::uint32_t i = 0; i < iterations; ++i)
    for (auto* events : {&begins, &ends}) {
      auto event = op.device().make_event();
      if (!event) return tl::unexpected(event.error());
      events->push_back(std::move(*event));
    }
  // Flushing once ahead of the gate makes room for the flush buffer now: allocating behind a closed gate would wait for it.
  if (auto done = op.device().evict_caches(stream); !done) return tl::unexpected(done.error());
  const auto queue = [&]() -> Status {
    for (std::uint32_t i = 0; i < iterations; ++i) {
      if (auto done = op.device().evict_caches(stream); !done) return done;
      if (auto done = stream.record(*begins[i]); !done) return done;
      if (auto done = op.enqueue(); !done) return done;
      if (auto done = stream.record(*ends[i]); !done) return done;
    }
    return {};
  };
  if (auto done = gate.close(stream, settings.gate_limit_s); !done) return tl::unexpected(done.error());
  const auto queued = queue();
  gate.open();
  if (auto done = stream.wait(); !done) return tl::unexpected(done.error());
  if (!queued) return tl::unexpected(queued.error());
  GpuTime time;
  time.launches_exposed = gate.gave_up();
  for (std::uint32_t i = 0; i < iterations; ++i) {
    const auto run_s = ends[i]->seconds_since(*begins[i]);
    if (!run_s) return tl::unexpected(run_s.error());
    time.total_s += *run_s;
  }
  return time;
}

Status make_ready(PreparedOp& op) {
  if (auto done = op.device().activate(); !done) return done;
  if (auto done = op.reset(); !done) return done;
  return op.wait();
}

}  // namespace

Result<TimingAids> make_timing_aids(Device& device) {
  TimingAids aids;
  auto gate = make_launch_gate(device);
  if (!gate) return tl::unexpected(gate.error());
  aids.gate = std::move(*gate);
  if (device.kind() == DeviceKind::cuda) {
    // Clocks that nobody tells are unknown; that stops no measurement.
    if (const auto gpu = gpu_properties())
      if (auto monitor = make_gpu_monitor(gpu->pci_bus_id)) aids.monitor = std::move(*monitor);
  }
  return aids;
}

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
  const auto most = op.device().kind() == DeviceKind::cuda ? settings.maximum_gpu_iterations : settings.maximum_iterations;
  return static_cast<std::uint32_t>(std::clamp(wanted, 1.0, static_cast<double>(std::max(1u, most))));
}

Result<Sample> time_sample(PreparedOp& op, Stream& stream, std::uint32_t iterations, const TimingSettings& settings,
                           TimingAids& aids) {
  if (iterations == 0) return invalid_input("a sample of 0 iterations; at least 1 is needed");
  if (auto done = make_ready(op); !done) return tl::unexpected(done.error());
  auto& meter = meter_of(settings);
  meter.begin();
  const auto switches = involuntary_switches();
  Result<GpuTime> time = GpuTime{};
  if (op.device().kind() == DeviceKind::cuda) {
    time = elapsed_on_gpu(op, stream, iterations, settings, *aids.gate);
  } else if (auto total_s = elapsed_on_host(op, iterations)) {
    time->total_s = *total_s;
  } else {
    time = tl::unexpected(total_s.error());
  }
  const auto switched = involuntary_switches() - switches;
  const auto reading = meter.end(settings.foreign_share);
  if (!time) return tl::unexpected(time.error());
  Sample sample;
  sample.elapsed_s = time->total_s / iterations;
  sample.iterations = iterations;
  sample.involuntary_switches = switched;
  sample.foreign_s = reading.foreign_s;
  sample.launches_exposed = time->launches_exposed;
  // What was queued ahead runs by itself: other people's work on the host's cores reaches a GPU's time only where launches do.
  sample.foreign_load = reading.loaded && (op.device().kind() == DeviceKind::cpu || sample.launches_exposed);
  if (aids.monitor) sample.sm_clock_hz = aids.monitor->sm_clock_hz();
  return sample;
}

}  // namespace detbench
