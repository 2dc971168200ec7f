// Runs one case on any device as the sweep does: inputs filled by the operation, outputs and workspace poisoned, guards
// checked; gives the outputs in host memory.
#pragma once

#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

struct CaseRun {
  std::vector<std::vector<std::byte>> memory;
  std::vector<Tensor> outputs;  ///< in `memory`
  Digest digest;
};

enum class How { launched, captured };  ///< captured: each run replays what was recorded once (a CUDA graph)

inline Result<CaseRun> run_plan(const Operation& operation, const Problem& problem, Plan& plan, Device& device, const Inputs& inputs, int runs = 1,
                                How how = How::launched) {
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto allocate = [&](std::size_t bytes) -> Result<Region> {
    auto buffer = device.allocate(std::max<std::size_t>(bytes, 64));
    if (!buffer) return tl::unexpected(buffer.error());
    buffers.push_back(std::move(*buffer));
    return Region{buffers.back()->region().data, bytes};
  };
  std::vector<Tensor> sources, targets;
  for (const auto& spec : plan.inputs()) {
    auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    sources.push_back({spec, *region});
    const auto fill = operation.fill(problem, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    if (auto s = device.fill(sources.back(), *fill, **stream); !s) return tl::unexpected(s.error());
  }
  for (const auto& spec : plan.outputs()) {
    auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    targets.push_back({spec, *region});
  }
  auto workspace = allocate(plan.workspace_bytes());
  if (!workspace) return tl::unexpected(workspace.error());
  auto op = plan.bind(sources, targets, *workspace, **stream);
  if (!op) return tl::unexpected(op.error());
  std::unique_ptr<CapturedWork> recorded;
  if (how == How::captured) {
    // Once as it is, as the sweep does: the first launch of a kernel loads it, which a capture may not permit.
    if (auto s = (*op)->reset(); !s) return tl::unexpected(s.error());
    if (auto s = (*op)->enqueue(); !s) return tl::unexpected(s.error());
    if (auto s = (*stream)->wait(); !s) return tl::unexpected(s.error());
    if (auto s = (*stream)->begin_capture(); !s) return tl::unexpected(s.error());
    const auto queued = (*op)->enqueue();
    auto work = (*stream)->end_capture();
    if (!queued) return tl::unexpected(queued.error());
    if (!work) return tl::unexpected(work.error());
    recorded = std::move(*work);
  }
  for (int run = 0; run < runs; ++run) {
    // Another poison each time: a read of what nobody wrote then shows as a difference or a NaN.
    const Poison poison = run % 2 == 0 ? Poison::nan_pattern : Poison::random;
    for (const auto& target : targets)
      if (auto s = device.poison(target.region, poison, 1, **stream); !s) return tl::unexpected(s.error());
    if (auto s = device.poison(*workspace, poison, 2, **stream); !s) return tl::unexpected(s.error());
    if (auto s = (*op)->reset(); !s) return tl::unexpected(s.error());
    if (auto s = recorded ? recorded->enqueue(**stream) : (*op)->enqueue(); !s) return tl::unexpected(s.error());
  }
  CaseRun found;
  for (const auto& target : targets) {
    found.memory.emplace_back(target.region.bytes);
    if (auto s = device.copy_to_host(found.memory.back().data(), target.region, **stream); !s) return tl::unexpected(s.error());
    found.outputs.push_back({target.spec, {found.memory.back().data(), found.memory.back().size()}});
  }
  if (auto s = (*stream)->wait(); !s) return tl::unexpected(s.error());
  auto digest = device.digest(targets, **stream);
  if (!digest) return tl::unexpected(digest.error());
  found.digest = *digest;
  for (const auto& buffer : buffers)
    if (buffer->damaged_guard()) return failure("a guard zone was overwritten");
  return found;
}

inline Result<CaseRun> run_case(const Operation& operation, const Problem& problem, const Algorithm& algorithm, Device& device,
                                const Inputs& inputs, int runs = 1, How how = How::launched) {
  const Provider* provider = operation.find_provider(algorithm.provider);
  if (provider == nullptr) return invalid_input("no provider " + algorithm.provider);
  auto plan = provider->plan(problem, algorithm, device);
  if (!plan) return tl::unexpected(plan.error());
  return run_plan(operation, problem, **plan, device, inputs, runs, how);
}

}  // namespace detbench::testing
