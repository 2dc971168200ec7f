#include "kernels/scatter_add/scatter_call.hpp"

#include <algorithm>

namespace detbench::scatter_add {

reduction::TableRow scatter_row(DeviceKind kind, ScatterAlgorithm algorithm) {
  reduction::TableRow row;
  row.name = algorithm.name;
  row.claim = algorithm.claim;
  row.kind = kind;
  row.prepare = [algorithm = std::move(algorithm)](const Problem& text, const Options&, Device& device) -> Result<reduction::Prepared> {
    const auto problem = parse_scatter(text);
    if (!problem) return tl::unexpected(problem.error());
    if (algorithm.missing != nullptr)
      if (const auto why = algorithm.missing(*problem); !why.empty()) return unsupported(why);
    reduction::Prepared prepared;
    prepared.inputs = input_specs(*problem);
    prepared.outputs = {output_spec(*problem)};
    prepared.alignment_bytes = 1;
    prepared.notes = contention_notes(*problem);
    const bool on_cpu = device.kind() == DeviceKind::cpu;
    const int threads = on_cpu ? reduction::thread_count(device) : 1;
    if (on_cpu) prepared.notes["threads"] = std::to_string(threads);
    if (algorithm.most_partials != nullptr && algorithm.most_partials(*problem, threads) <= 2)
      prepared.notes["cannot_show"] = "at most 2 partial sums meet in a bin, and a + b = b + a: every order gives the same bits";
    if (on_cpu && threads == 1 && algorithm.claim.guarantee == Guarantee::not_guaranteed)
      prepared.notes["cannot_show"] = "one thread adds, always in the order of updates";
    if (algorithm.workspace_bytes != nullptr) {
      const auto bytes = algorithm.workspace_bytes(*problem, threads);
      if (!bytes) return tl::unexpected(bytes.error());
      prepared.workspace_bytes = *bytes;
    }
    Targets targets = make_targets(problem->n, problem->bins, problem->hot, problem->layout);
    prepared.run = [problem = *problem, targets, threads, run = algorithm.run](const reduction::RunArguments& a) {
      ScatterCall call{targets, a.inputs[0].region.data, a.outputs[0].region.data, problem.stored, problem.bin, problem.n, problem.width, problem.bins,
                       make_divider(problem.width), threads, a.workspace.data, a.native_stream};
      const void* chooser = a.inputs[1].region.data;
      if (problem.has_samples()) call.targets.samples = static_cast<const float*>(chooser);
      else call.targets.indices = static_cast<const std::int32_t*>(chooser);
      return run(call);
    };
    return prepared;
  };
  return row;
}

Result<std::size_t> within_workspace_limit(const ScatterProblem& problem, std::size_t bytes) {
  std::size_t inputs = 0;
  for (const TensorSpec& spec : input_specs(problem)) inputs += spec.bytes();
  const std::size_t limit = std::max(std::size_t{1} << 30, 3 * inputs);
  if (bytes <= limit) return bytes;
  return unsupported("needs " + std::to_string(bytes >> 20) + " MiB of workspace; offered up to " + std::to_string(limit >> 20) + " MiB");
}

}  // namespace detbench::scatter_add
