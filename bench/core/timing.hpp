// One timed sample of a prepared op, with what else the machine did meanwhile (METHOD section 7).
#pragma once

#include <cstdint>
#include <memory>

#include "bench/core/foreign_load.hpp"
#include "bench/core/measurement.hpp"
#include "bench/core/prepared_op.hpp"

namespace detbench {

struct TimingSettings {
  double minimum_sample_s = 200e-6;   ///< short ops run several times per sample; `iterations` records how often
  std::uint32_t maximum_iterations = 1000;
  double foreign_share = 0.10;        ///< a sample is marked when others used more than this share of a core meanwhile
  std::shared_ptr<ForeignLoadMeter> meter;  ///< nullptr: one of the real machine, shared by the process
};

/// Runs untimed once, then picks the iterations per sample for this op.
Result<std::uint32_t> calibrate(PreparedOp& op, const TimingSettings& settings);

/// Times `iterations` runs of enqueue() (host clock around them on a CPU, events on a GPU); fills elapsed_s (mean per
/// run), iterations, involuntary_switches, foreign_s and foreign_load. `reset` runs before the first, untimed.
Result<Sample> time_sample(PreparedOp& op, Stream& stream, std::uint32_t iterations, const TimingSettings& settings);

}  // namespace detbench
