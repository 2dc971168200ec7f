// One case on any device in a test, as the sweep does it: inputs filled by the operation, outputs and workspace poisoned,
// guards checked, outputs held against the reference.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

/// A plan bound to memory of its own on a device. `launch` may be replaced by what shall run between poison and check.
class DeviceRun {
 public:
  static Result<std::unique_ptr<DeviceRun>> make(Device& device, const Operation& operation, const Problem& problem,
                                                 const Algorithm& algorithm, const Inputs& inputs) {
    auto run = std::make_unique<DeviceRun>(device);
    auto stream = device.make_stream();
    if (!stream) return tl::unexpected(stream.error());
    run->stream_ = std::move(*stream);
    const auto* provider = operation.find_provider(algorithm.provider);
    if (provider == nullptr) return failure("no provider " + algorithm.provider);
    auto plan = provider->plan(problem, algorithm, device);
    if (!plan) return tl::unexpected(plan.error());
    run->plan_ = std::move(*plan);
    std::vector<Tensor> in;
    for (const auto& spec : run->plan_->inputs()) {
      const auto region = run->allocate(spec.bytes(), size_of(spec.type));
      if (!region) return tl::unexpected(region.error());
      const auto fill = operation.fill(problem, spec, inputs);
      if (!fill) return tl::unexpected(fill.error());
      in.push_back({spec, *region});
      if (auto status = device.fill(in.back(), *fill, *run->stream_); !status) return tl::unexpected(status.error());
    }
    for (const auto& spec : run->plan_->outputs()) {
      const auto region = run->allocate(spec.bytes(), size_of(spec.type));
      if (!region) return tl::unexpected(region.error());
      run->outputs_.push_back({spec, *region});
    }
    const auto workspace = run->allocate(std::max<std::size_t>(64, run->plan_->workspace_bytes()), 64);
    if (!workspace) return tl::unexpected(workspace.error());
    run->workspace_ = *workspace;
    auto op = run->plan_->bind(in, run->outputs_, run->workspace_, *run->stream_);
    if (!op) return tl::unexpected(op.error());
    run->op_ = std::move(*op);
    return run;
  }
  explicit DeviceRun(Device& device) : device_(device) {}

  Status poison(Poison poison) {
    for (const auto& output : outputs_)
      if (auto status = device_.poison(output.region, poison, 7, *stream_); !status) return status;
    return device_.poison(workspace_, poison, 8, *stream_);
  }
  /// Enqueues once and waits; a damaged guard is a failure.
  Status once() {
    if (auto status = op_->enqueue(); !status) return status;
    if (auto status = stream_->wait(); !status) return status;
    for (const auto& buffer : buffers_)
      if (buffer->damaged_guard()) return failure("a guard zone was overwritten");
    return {};
  }
  Result<Digest> digest() { return device_.digest(outputs_, *stream_); }
  Result<Verification> check(const Reference& reference, const Algorithm& algorithm) {
    std::vector<std::vector<std::byte>> bytes;
    std::vector<Tensor> results;
    for (const auto& output : outputs_) {
      bytes.emplace_back(output.region.bytes);
      if (auto status = device_.copy_to_host(bytes.back().data(), output.region, *stream_); !status) return tl::unexpected(status.error());
      results.push_back({output.spec, {bytes.back().data(), bytes.back().size()}});
    }
    return reference.check(algorithm, results);
  }
  Op& op() { return *op_; }
  Plan& plan() { return *plan_; }
  Stream& stream() { return *stream_; }

 private:
  Result<Region> allocate(std::size_t bytes, std::size_t element_bytes) {
    auto buffer = device_.allocate(bytes, element_bytes);
    if (!buffer) return tl::unexpected(buffer.error());
    buffers_.push_back(std::move(*buffer));
    return buffers_.back()->region();
  }
  Device& device_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Plan> plan_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Tensor> outputs_;
  Region workspace_;
  std::unique_ptr<Op> op_;
};

/// Poisons, runs, checks.
inline Result<Verification> verify_once(Device& device, const Operation& operation, const Problem& problem, const Algorithm& algorithm,
                                        const Inputs& inputs, const Reference& reference, Poison poison = Poison::nan_pattern) {
  auto run = DeviceRun::make(device, operation, problem, algorithm, inputs);
  if (!run) return tl::unexpected(run.error());
  if (auto status = (*run)->poison(poison); !status) return tl::unexpected(status.error());
  if (auto status = (*run)->once(); !status) return tl::unexpected(status.error());
  return (*run)->check(reference, algorithm);
}

}  // namespace detbench::testing
