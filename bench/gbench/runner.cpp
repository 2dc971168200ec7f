#include "bench/gbench/runner.hpp"

#include <benchmark/benchmark.h>

#include <array>

namespace detbench {
namespace {

/// Prints nothing: results go through our own records. Google Benchmark needs some display reporter, and its console
/// one would write into the worker's log.
class SilentReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

}  // namespace

Status check_benchmark_flag(const std::string& flag) {
  static const std::array<std::pair<const char*, const char*>, 7> refused{{
      {"--benchmark_repetitions", "blocks take their place: --profile sets how many"},
      {"--benchmark_min_time", "samples have a fixed least length; --profile sets how many there are"},
      {"--benchmark_enable_random_interleaving", "arms are always interleaved, in an order drawn from --seed and recorded"},
      {"--benchmark_report_aggregates_only", "the result file keeps every sample, and `detbench report` aggregates"},
      {"--benchmark_display_aggregates_only", "the result file keeps every sample, and `detbench report` aggregates"},
      {"--benchmark_list_tests", "use `detbench list`"},
      {"--benchmark_dry_run", "use `detbench list`"},
  }};
  const auto name = flag.substr(0, flag.find('='));
  for (const auto& [option, instead] : refused)
    if (name == option) return invalid_input("'" + flag + "' is refused: " + instead);
  for (const char* accepted : {"--benchmark_out", "--benchmark_out_format", "--benchmark_context"})
    if (name == accepted) return {};
  return invalid_input("'" + flag + "' is not taken: of Google Benchmark's options detbench takes --benchmark_filter, "
                       "--benchmark_out, --benchmark_out_format and --benchmark_context");
}

Status run_slots(const std::vector<TimedSlot>& slots, const std::vector<std::string>& arguments) {
  std::vector<std::string> strings{"detbench"};
  strings.insert(strings.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& s : strings) argv.push_back(s.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data());
  if (argc > 1) return invalid_input("'" + std::string(argv[1]) + "' is not an option of Google Benchmark");

  // One family per comparison with an argument per slot, not a family per slot: 1.7.1 collects families by reserving
  // for one more each time, so 27,000 families spend half a minute copying each other before the first one runs.
  for (std::size_t first = 0; first < slots.size();) {
    std::size_t end = first;
    while (end < slots.size() && slots[end].family == slots[first].family) ++end;
    auto* family = benchmark::RegisterBenchmark(slots[first].family.c_str(), [&slots, first](benchmark::State& state) {
      const auto& slot = slots[first + static_cast<std::size_t>(state.range(0))];
      state.SetLabel(slot.label);
      for (auto _ : state) {
        const auto elapsed_s = slot.run();
        if (elapsed_s) {
          state.SetIterationTime(*elapsed_s);
        } else {
          state.SkipWithError(elapsed_s.error().text.c_str());
          break;
        }
      }
    });
    family->UseManualTime()->Iterations(1)->Repetitions(1);
    for (std::size_t i = 0; i < end - first; ++i) family->Arg(static_cast<std::int64_t>(i));
    first = end;
  }
  SilentReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return {};
}

}  // namespace detbench
