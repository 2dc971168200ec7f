#include "kernels/convolution/legacy_selection_cudnn.hpp"

#include <cuda_runtime.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "kernels/convolution/reference.hpp"
#include "kernels/cudnn/handle.hpp"
#include "kernels/device/cuda_check.hpp"

namespace detbench::legacy {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// The largest workspace under the cap that any algorithm asks for under any math type: more would change nothing.
Result<std::size_t> useful_workspace(const ConvolutionProblem& p, const Arm& arm, Calls& calls, cudnnHandle_t handle) {
  std::size_t most = 0;
  for (const auto math : all_math) {
    if (auto status = calls.set_math(math); !status) return tl::unexpected(status.error());
    for (const auto& row : algorithms_of(p.direction))
      if (const auto bytes = calls.workspace_bytes(handle, row.value); bytes && *bytes <= arm.workspace_cap_bytes)
        most = std::max(most, *bytes);
  }
  if (auto status = calls.set_math(arm.math); !status) return tl::unexpected(status.error());
  return most;
}

/// Runs on a stream of the device, so that a partition of its multiprocessors holds for what is measured too.
Result<std::vector<PerfRow>> find(const ConvolutionProblem& p, const Calls& calls, std::size_t workspace_bytes, Device& device) {
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  const auto handle = cudnn::handle_for(device, **stream);
  if (!handle) return tl::unexpected(handle.error());
  const auto tensors = tensors_of(p);
  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto allocate = [&](std::size_t bytes) -> Result<Region> {
    auto buffer = device.allocate(bytes);
    if (!buffer) return tl::unexpected(buffer.error());
    buffers.push_back(std::move(*buffer));
    return buffers.back()->region();
  };
  std::array<const void*, 2> in{};
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto& spec = tensors.inputs[i];
    const auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    const auto fill = convolution_fill(p, spec, {InputFill::rounding, 1});
    if (!fill) return tl::unexpected(fill.error());
    if (auto status = device.fill({spec, *region}, *fill, **stream); !status) return tl::unexpected(status.error());
    in[i] = region->data;
  }
  const auto out = allocate(tensors.outputs[0].bytes());
  if (!out) return tl::unexpected(out.error());
  Region workspace;
  if (workspace_bytes > 0) {
    const auto region = allocate(workspace_bytes);
    if (!region) return tl::unexpected(region.error());
    workspace = *region;
  }
  if (auto status = (*stream)->wait(); !status) return tl::unexpected(status.error());
  auto rows = calls.find_ex(*handle, in[0], in[1], out->data, workspace);
  // Nothing may still run when the buffers go.
  if (auto status = (*stream)->wait(); !status) return tl::unexpected(status.error());
  return rows;
}

}  // namespace

Result<Selection> select(const SymmetricForm& form, const Arm& arm, Calls& calls, int compute_major, Device& device) {
  const auto& p = form.problem;
  // Held to the end: plans may be made side by side, and two searches by time at once would disturb each other.
  const auto planning = cudnn::planning_handle(device);
  if (!planning) return tl::unexpected(planning.error());
  const auto handle = planning->handle;
  if (auto status = calls.set_math(arm.math); !status) return tl::unexpected(status.error());

  Selection selection;
  std::size_t free_bytes = 0, total_bytes = 0;
  DETBENCH_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
  double load = 0;
  selection.notes["selection_free_memory_bytes"] = std::to_string(free_bytes);
  selection.notes["selection_total_memory_bytes"] = std::to_string(total_bytes);
  if (getloadavg(&load, 1) == 1) selection.notes["selection_load_average"] = number(load);

  Result<std::vector<PerfRow>> rows = std::vector<PerfRow>{};
  if (arm.choice == Choice::get_v7) {
    rows = calls.get_v7(handle);
  } else {
    const auto bytes = useful_workspace(p, arm, calls, handle);
    if (!bytes) return tl::unexpected(bytes.error());
    selection.notes["selection_workspace_bytes"] = std::to_string(*bytes);
    rows = find(p, calls, *bytes, device);
  }
  if (!rows) return tl::unexpected(rows.error());
  const auto chosen = choose_row(*rows, arm, p.types, compute_major);
  if (!chosen) return tl::unexpected(chosen.error());
  const auto known = algorithms_of(p.direction);
  if (chosen->algorithm < 0 || chosen->algorithm >= static_cast<int>(known.size()))
    return unsupported("the library chose algorithm " + std::to_string(chosen->algorithm) + ", which its headers did not have when this was built");
  selection.algorithm = chosen->algorithm;
  selection.math = static_cast<Math>(chosen->math);

  // Under the math type chosen the query is asked again: the row's own size is what Find ran with.
  if (auto status = calls.set_math(selection.math); !status) return tl::unexpected(status.error());
  const auto bytes = calls.workspace_bytes(handle, selection.algorithm);
  if (!bytes) return tl::unexpected(bytes.error());
  selection.workspace_bytes = std::max(*bytes, chosen->memory_bytes);

  const auto& row = known[static_cast<std::size_t>(selection.algorithm)];
  selection.notes["selected"] = row_text(row, selection.math);
  selection.notes["selected_determinism"] = chosen->deterministic ? "deterministic" : "non_deterministic";
  selection.notes["selected_documented"] = row.documented_nondeterministic ? "not_guaranteed" : "run_to_run";
  selection.notes["selected_workspace_bytes"] = std::to_string(selection.workspace_bytes);
  if (chosen->time_s >= 0) selection.notes["selected_time_s"] = number(chosen->time_s);
  selection.notes["selection_ranking"] = ranking_text(p.direction, *rows, 5);
  selection.notes["selection_rows"] = std::to_string(rows->size());
  return selection;
}

}  // namespace detbench::legacy
