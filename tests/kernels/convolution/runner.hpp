// Runs one algorithm of one problem on the CPU device, with guarded and poisoned buffers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

struct Run {
  std::vector<Tensor> outputs;  ///< memory belongs to `buffers`
  Digest digest;
  bool guards_intact = true;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::map<std::string, std::string> notes;
};

inline Result<Run> run(const Operation& operation, const Problem& problem, const Algorithm& algorithm, const Inputs& inputs,
                       int threads = 2, Poison poison = Poison::nan_pattern) {
  DeviceConfiguration configuration;
  configuration.threads = threads;
  auto device = make_cpu_device(configuration);
  if (!device) return tl::unexpected(device.error());
  if (auto status = (*device)->activate(); !status) return tl::unexpected(status.error());
  auto stream = (*device)->make_stream();
  if (!stream) return tl::unexpected(stream.error());
  const auto* provider = operation.find_provider(algorithm.provider);
  if (provider == nullptr) return failure("no provider " + algorithm.provider);
  auto plan = provider->plan(problem, algorithm, **device);
  if (!plan) return tl::unexpected(plan.error());
  Run run;
  run.notes = (*plan)->notes();
  const auto allocate = [&](std::size_t bytes) -> Result<Region> {
    auto buffer = (*device)->allocate(bytes);
    if (!buffer) return tl::unexpected(buffer.error());
    run.buffers.push_back(std::move(*buffer));
    return run.buffers.back()->region();
  };
  std::vector<Tensor> in;
  for (const auto& spec : (*plan)->inputs()) {
    auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    const auto fill = operation.fill(problem, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    in.push_back({spec, *region});
    if (auto status = (*device)->fill(in.back(), *fill, **stream); !status) return tl::unexpected(status.error());
  }
  for (const auto& spec : (*plan)->outputs()) {
    auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    run.outputs.push_back({spec, *region});
    if (auto status = (*device)->poison(*region, poison, 7, **stream); !status) return tl::unexpected(status.error());
  }
  auto workspace = allocate((*plan)->workspace_bytes());
  if (!workspace) return tl::unexpected(workspace.error());
  if (auto status = (*device)->poison(*workspace, poison, 8, **stream); !status) return tl::unexpected(status.error());
  auto op = (*plan)->bind(in, run.outputs, *workspace, **stream);
  if (!op) return tl::unexpected(op.error());
  if (auto status = (*op)->enqueue(); !status) return tl::unexpected(status.error());
  if (auto status = (*stream)->wait(); !status) return tl::unexpected(status.error());
  auto digest = (*device)->digest(run.outputs, **stream);
  if (!digest) return tl::unexpected(digest.error());
  run.digest = *digest;
  for (const auto& buffer : run.buffers)
    if (buffer->damaged_guard()) run.guards_intact = false;
  return run;
}

}  // namespace detbench::testing
