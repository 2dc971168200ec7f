// What parent and workers say to each other, as JSON lines. Requests:
//   {"do":"list","problem":P}                         -> {"offers":[...]} or {"error":...}
//   {"do":"build","problem":P,"algorithms":[A],"settings":S} -> {"built":N}: plans built ahead, on every core
//   {"do":"gpu"}                                      -> {"gpu":OBJECT} or {"error":...}: for the manifest
//   {"do":"probe","problem":P,"algorithm":A,"settings":S} -> {"report":...}
//   {"do":"once","problem":P,"algorithm":A,"settings":S,"baseline":HEX} -> {"digest":HEX,"notes":{}} or {"error":...}
//   {"do":"recompute","problem":P,"algorithm":A,"settings":S} -> {"inputs":HEX,"digest":HEX,"elapsed_s":T} or {"error":...}
//   {"do":"diverge",...}                              -> {"divergence":...} or {"error":...}: bench/suites/divergence.hpp
//   {"do":"ablate","settings":...,"source":"dropout"} -> {"ablation":{"row":...,"input_s":...,"train_s":...}} or {"error":...}: bench/suites/ablation.hpp
//   {"do":"time","comparisons":[...],...}             -> a stream of {"preparing":true}, {"samples":...}, {"finished":...},
//                                                        {"done":true}
#pragma once

#include "bench/core/probe.hpp"
#include "bench/records/record.hpp"

namespace detbench {

Json to_json(const Algorithm& algorithm);
Result<Algorithm> read_algorithm(const Json& json);
Json to_json(const Reason& reason);
Reason read_reason(const Json& json);
Json to_json(const Offer& offer);
Result<Offer> read_offer(const Json& json);
Json to_json(const ProbeSettings& settings);
Result<ProbeSettings> read_probe_settings(const Json& json);

/// An ArmReport with what only some ops add.
struct ProbeReply {
  ArmReport report;
  std::optional<TrainStepFacts> train_step;
};
Json to_json(const ProbeReply& reply);
Result<ProbeReply> read_probe_reply(const Json& json);

/// One comparison of a timing worker's plan. Arm number arms.size() is the twin.
struct TimedComparison {
  Problem problem;
  std::uint64_t schedule_seed = 0;
  std::uint32_t blocks = 0;
  std::vector<Algorithm> arms;
  std::vector<bool> slow;       ///< per arm: one sample instead of one per block
  std::uint32_t twin_of = 0;
  std::uint64_t workspace_bytes = 0;  ///< the largest any arm asked for when it was probed
};
struct TimingPlan {
  std::vector<TimedComparison> comparisons;
  Inputs inputs;
  DeviceConfiguration base;
  std::vector<std::string> benchmark_arguments;  ///< --benchmark_* flags for Google Benchmark
  /// The worker writes "comparison arm" here before each arm it prepares or times, and the number behind the twin's while
  /// it builds plans side by side.
  std::string in_flight_file;
  bool builds_ahead = true;     ///< on a GPU: plans of a comparison are built side by side before its arms are prepared
};
Json to_json(const TimingPlan& plan);
Result<TimingPlan> read_timing_plan(const Json& json);

}  // namespace detbench
