// Runs one case on the CPU in a test: inputs filled by the operation, outputs and workspace poisoned, guards checked,
// outputs held against the fp64 reference.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

class PlanRunner {
 public:
  explicit PlanRunner(int threads = 2) {
    DeviceConfiguration configuration;
    configuration.threads = threads;
    device_ = std::move(make_cpu_device(configuration).value());
    EXPECT_TRUE(device_->activate());
    stream_ = std::move(device_->make_stream().value());
  }
  Device& device() { return *device_; }
  Stream& stream() { return *stream_; }

  Tensor allocate(const TensorSpec& spec) {
    buffers_.push_back(std::move(device_->allocate(spec.bytes()).value()));
    return {spec, buffers_.back()->region()};
  }
  Tensor filled(const TensorSpec& spec, const FillSpec& fill) {
    const Tensor tensor = allocate(spec);
    EXPECT_TRUE(device_->fill(tensor, fill, *stream_));
    return tensor;
  }

  /// Binds the plan to `inputs` (filled by the operation when empty) and to poisoned outputs, runs it once.
  Status run(Plan& plan, const Operation& operation, const Problem& problem, const Inputs& inputs, std::vector<Tensor> given = {}) {
    inputs_ = std::move(given);
    if (inputs_.empty())
      for (const auto& spec : plan.inputs()) {
        auto fill = operation.fill(problem, spec, inputs);
        if (!fill) return tl::unexpected(fill.error());
        inputs_.push_back(filled(spec, *fill));
      }
    outputs_.clear();
    for (const auto& spec : plan.outputs()) {
      outputs_.push_back(allocate(spec));
      if (auto s = device_->poison(outputs_.back().region, Poison::nan_pattern, 1, *stream_); !s) return s;
    }
    Region workspace{};
    if (plan.workspace_bytes() > 0) {
      buffers_.push_back(std::move(device_->allocate(plan.workspace_bytes()).value()));
      workspace = buffers_.back()->region();
      if (auto s = device_->poison(workspace, Poison::nan_pattern, 2, *stream_); !s) return s;
    }
    auto op = plan.bind(inputs_, outputs_, workspace, *stream_);
    if (!op) return tl::unexpected(op.error());
    if (auto s = (*op)->reset(); !s) return s;
    if (auto s = (*op)->enqueue(); !s) return s;
    for (const auto& buffer : buffers_)
      if (buffer->damaged_guard()) return failure("a guard zone was overwritten");
    return {};
  }

  Verification verify(const Operation& operation, const Problem& problem, const Algorithm& algorithm, const Inputs& inputs) {
    const Provider* provider = operation.find_provider(algorithm.provider);
    auto plan = provider->plan(problem, algorithm, *device_);
    if (!plan) return {false, plan.error().text, 0, 0, 0, 0, 0};
    if (auto s = run(**plan, operation, problem, inputs); !s) return {false, s.error().text, 0, 0, 0, 0, 0};
    auto reference = operation.reference(problem, inputs);
    if (!reference) return {false, reference.error().text, 0, 0, 0, 0, 0};
    return (*reference)->check(algorithm, outputs_).value();
  }
  Digest digest() { return device_->digest(outputs_, *stream_).value(); }
  const std::vector<Tensor>& inputs() const { return inputs_; }
  const std::vector<Tensor>& outputs() const { return outputs_; }

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Tensor> inputs_, outputs_;
};

}  // namespace detbench::testing
