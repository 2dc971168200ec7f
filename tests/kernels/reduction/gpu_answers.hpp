// Runs one row of `sum` or `dot` by name on any device.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

using Bytes = std::vector<std::byte>;

/// What one algorithm answers: inputs are the operation's fill, or `given` for all of them.
inline Result<Bytes> answer(const Operation& operation, const Problem& problem, const std::string& algorithm, Device& device, const Bytes* given = nullptr) {
  const auto name = parse_case_id(problem_id(problem) + "/" + algorithm);
  if (!name) return tl::unexpected(name.error());
  const Provider* provider = operation.find_provider(name->algorithm.provider);
  if (provider == nullptr) return invalid_input("no provider " + name->algorithm.provider);
  if (auto status = device.activate(); !status) return tl::unexpected(status.error());
  auto plan = provider->plan(problem, name->algorithm, device);
  if (!plan) return tl::unexpected(plan.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  DeviceConfiguration plain;  // a workspace is aligned whatever the placement of tensors
  auto work_device = device.kind() == DeviceKind::cpu ? make_cpu_device(plain) : make_cuda_device(plain);
  if (!work_device) return tl::unexpected(work_device.error());
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<Tensor> inputs, outputs;
  for (const TensorSpec& spec : (*plan)->inputs()) {
    auto buffer = device.allocate(spec.bytes(), size_of(spec.type));
    if (!buffer) return tl::unexpected(buffer.error());
    inputs.push_back({spec, (*buffer)->region()});
    buffers.push_back(std::move(*buffer));
    Status filled;
    if (given != nullptr) {
      filled = device.copy_from_host(inputs.back().region, given->data(), **stream);
    } else {
      const auto fill = operation.fill(problem, spec, {InputFill::rounding, 3});
      if (!fill) return tl::unexpected(fill.error());
      filled = device.fill(inputs.back(), *fill, **stream);
    }
    if (!filled) return tl::unexpected(filled.error());
  }
  auto out = device.allocate((*plan)->outputs()[0].bytes(), size_of((*plan)->outputs()[0].type));
  auto work = (*work_device)->allocate(std::max<std::size_t>(64, (*plan)->workspace_bytes()));
  if (!out) return tl::unexpected(out.error());
  if (!work) return tl::unexpected(work.error());
  outputs.push_back({(*plan)->outputs()[0], (*out)->region()});
  auto op = (*plan)->bind(inputs, outputs, (*work)->region(), **stream);
  if (!op) return tl::unexpected(op.error());
  Bytes bytes((*plan)->outputs()[0].bytes());
  for (const auto& step : {device.poison(outputs[0].region, Poison::random, 7, **stream), device.poison((*work)->region(), Poison::nan_pattern, 8, **stream),
                           (*op)->reset(), (*op)->enqueue(), device.copy_to_host(bytes.data(), outputs[0].region, **stream), (*stream)->wait()})
    if (!step) return tl::unexpected(step.error());
  for (const auto& buffer : buffers)
    if (buffer->damaged_guard()) return failure("a guard of an input was overwritten");
  if ((*out)->damaged_guard() || (*work)->damaged_guard()) return failure("a guard was overwritten");
  return bytes;
}

}  // namespace detbench::testing
