// Step 4 of METHOD section 1: all arms of a comparison in one process, interleaved in blocks, under Google Benchmark.
#pragma once

#include "bench/workers/channel.hpp"
#include "bench/workers/messages.hpp"

namespace detbench {

/// Runs the whole plan and streams {"comparison":i,"preparing":true} now and then while arms are prepared, per block
/// {"comparison":i,"samples":[{"arm":a,...}...]}, then
/// {"comparison":i,"finished":true,"digests":[...],"failed":{arm: reason}}, at the end {"done":true}.
Status run_timing_plan(const TimingPlan& plan, const Registry& registry, const MakeDevice& make_device, LineChannel& channel);

}  // namespace detbench
