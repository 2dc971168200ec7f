#include "kernels/scatter_add/scatter_problem.hpp"

#include "kernels/reduction/superaccumulator.hpp"

namespace detbench::scatter_add {
namespace {

constexpr std::size_t workspace_limit = std::size_t{1} << 30;

TensorSpec vector_spec(std::string role, DataType type, std::int64_t n) {
  return TensorSpec{std::move(role), type, {n}, canonical_layout({n})};
}

}  // namespace

Result<ScatterProblem> parse_scatter(const Problem& problem) {
  if (problem.op != "scatter_add")
    return invalid_input("'" + problem.op.substr(0, 60) + "' is not the operation scatter_add");
  if (problem.types != "f32_f32_strict")
    return invalid_input("types '" + problem.types.substr(0, 60) + "' of a scatter_add should be f32_f32_strict");
  if (problem.layout != "vector")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' of a scatter_add should be vector");
  constexpr std::int64_t largest_bins = std::int64_t{1} << 24;
  const auto fields =
      read_shape(problem.shape, {{"n", 1, std::int64_t{1} << 30}, {"bins", 1, largest_bins}, {"hot", 0, largest_bins}});
  if (!fields) return tl::unexpected(fields.error());
  const std::int64_t bins = (*fields)[1], hot = (*fields)[2];
  if (hot > bins || (hot & (hot - 1)) != 0)
    return invalid_input("'hot" + std::to_string(hot) + "' in shape '" + problem.shape.substr(0, 200) +
                         "' should be 0 or a power of two up to bins");
  return ScatterProblem{(*fields)[0], static_cast<std::int32_t>(bins), static_cast<std::int32_t>(hot)};
}

reduction::TableRow scatter_row(ScatterAlgorithm algorithm) {
  reduction::TableRow row;
  row.name = algorithm.name;
  row.claim = algorithm.claim;
  row.prepare = [algorithm = std::move(algorithm)](const Problem& text, const Options&,
                                                   Device& device) -> Result<reduction::Prepared> {
    const auto problem = parse_scatter(text);
    if (!problem) return tl::unexpected(problem.error());
    reduction::Prepared prepared;
    prepared.inputs = {vector_spec("values", DataType::f32, problem->n),
                       vector_spec("indices", DataType::i32, problem->n)};
    prepared.outputs = {vector_spec("dst", DataType::f32, problem->bins)};
    prepared.alignment_bytes = 1;
    const bool on_cpu = device.kind() == DeviceKind::cpu;
    const int threads = on_cpu ? reduction::thread_count(device) : 1;
    if (on_cpu) prepared.notes["threads"] = std::to_string(threads);
    if (algorithm.workspace_bytes != nullptr) {
      const auto bytes = algorithm.workspace_bytes(*problem, threads);
      if (!bytes) return tl::unexpected(bytes.error());
      prepared.workspace_bytes = *bytes;
    }
    prepared.run = [problem = *problem, threads, run = algorithm.run](const reduction::RunArguments& a) {
      return run(ScatterCall{static_cast<const float*>(a.inputs[0].region.data),
                             static_cast<const std::int32_t*>(a.inputs[1].region.data),
                             static_cast<float*>(a.outputs[0].region.data), problem.n, problem.bins, problem.hot,
                             threads, a.workspace.data, a.native_stream});
    };
    return prepared;
  };
  return row;
}

Result<std::size_t> within_workspace_limit(std::size_t bytes) {
  if (bytes <= workspace_limit) return bytes;
  return unsupported("needs " + std::to_string(bytes >> 20) + " MiB of workspace; offered up to " +
                     std::to_string(workspace_limit >> 20) + " MiB");
}

Result<std::size_t> accumulators_bytes(const ScatterProblem& problem, int) {
  return within_workspace_limit(static_cast<std::size_t>(problem.bins) * reduction::Superaccumulator<float>::slots *
                                sizeof(std::int64_t));
}

}  // namespace detbench::scatter_add
