// One timed sample of a prepared op, with what else the machine did meanwhile (METHOD section 7).
#pragma once

#include <cstdint>
#include <memory>

#include "bench/core/foreign_load.hpp"
#include "bench/core/measurement.hpp"
#include "bench/core/prepared_op.hpp"
#include "kernels/device/gpu_monitor.hpp"
#include "kernels/device/launch_gate.hpp"

namespace detbench {

/// What timing on a GPU needs beside the op, made once per comparison. On a CPU everything in it does nothing.
struct TimingAids {
  std::unique_ptr<LaunchGate> gate;
  std::unique_ptr<GpuMonitor> monitor;  ///< nullptr: clocks are unknown
};
Result<TimingAids> make_timing_aids(Device& device);

struct TimingSettings {
  double minimum_sample_s = 200e-6;   ///< short ops run several times per sample; `iterations` records how often
  std::uint32_t maximum_iterations = 1000;
  /// Every run on a GPU is timed by a pair of events of its own behind a flush of the L2 cache, and all of a sample are
  /// queued before the first begins; so many keep launches and flushes far below the launch queue's 1024 places.
  std::uint32_t maximum_gpu_iterations = 20;
  double gate_limit_s = 5e-3;         ///< the longest that a GPU is held back while the host queues a sample
  /// A sample is marked when others used more than this share of a core meanwhile; on a GPU only with launches exposed.
  double foreign_share = 0.10;
  std::shared_ptr<ForeignLoadMeter> meter;  ///< nullptr: one of the real machine, shared by the process
};

/// Runs untimed once, then picks the iterations per sample for this op.
Result<std::uint32_t> calibrate(PreparedOp& op, const TimingSettings& settings);

/// Times `iterations` runs of enqueue(): by the host's clock around all of them on a CPU; on a GPU by a pair of events
/// around each, every one behind a flush of the L2 cache and with launch latency hidden (see TimingSettings). Fills
/// elapsed_s (mean per run), iterations, involuntary_switches, foreign_s, foreign_load, sm_clock_hz and
/// launches_exposed. `reset` runs before the first, untimed.
Result<Sample> time_sample(PreparedOp& op, Stream& stream, std::uint32_t iterations, const TimingSettings& settings,
                           TimingAids& aids);

}  // namespace detbench
