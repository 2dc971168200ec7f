// What device tests of the small operations share: every algorithm that a GPU is offered, held against the reference as the
// sweep does it, and the bits of one algorithm.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

/// A test fixture that skips, with the reason, where there is no GPU.
class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
  }
  std::unique_ptr<Device> device_;
};

/// One plan bound to memory of its own on any device: inputs filled by the operation, the rest poisoned before each run.
class BoundCase {
 public:
  static Result<std::unique_ptr<BoundCase>> make(const Operation& operation, const Problem& problem, const Provider& provider,
                                                 const Algorithm& algorithm, const Inputs& inputs, Device& device) {
    auto plan = provider.plan(problem, algorithm, device);
    if (!plan) return tl::unexpected(plan.error());
    std::unique_ptr<BoundCase> bound(new BoundCase(device));
    bound->plan_ = std::move(*plan);
    auto stream = device.make_stream();
    if (!stream) return tl::unexpected(stream.error());
    bound->stream_ = std::move(*stream);
    for (const TensorSpec& spec : bound->plan_->inputs()) {
      auto tensor = bound->allocate(spec);
      auto fill = operation.fill(problem, spec, inputs);
      if (!tensor) return tl::unexpected(tensor.error());
      if (!fill) return tl::unexpected(fill.error());
      if (auto s = device.fill(*tensor, *fill, *bound->stream_); !s) return tl::unexpected(s.error());
      bound->inputs_.push_back(*tensor);
    }
    for (const TensorSpec& spec : bound->plan_->outputs()) {
      auto tensor = bound->allocate(spec);
      if (!tensor) return tl::unexpected(tensor.error());
      bound->outputs_.push_back(*tensor);
    }
    auto workspace = device.allocate(std::max<std::size_t>(64, bound->plan_->workspace_bytes()));
    if (!workspace) return tl::unexpected(workspace.error());
    bound->workspace_ = (*workspace)->region();
    bound->buffers_.push_back(std::move(*workspace));
    auto op = bound->plan_->bind(bound->inputs_, bound->outputs_, bound->workspace_, *bound->stream_);
    if (!op) return tl::unexpected(op.error());
    bound->op_ = std::move(*op);
    return bound;
  }

  /// Poison, reset, enqueue, wait; then guards.
  Status run(Poison poison = Poison::nan_pattern) {
    for (const Tensor& tensor : outputs_)
      if (auto s = device_.poison(tensor.region, poison, 1, *stream_); !s) return s;
    if (auto s = device_.poison(workspace_, poison, 2, *stream_); !s) return s;
    if (auto s = op_->reset(); !s) return s;
    if (auto s = op_->enqueue(); !s) return s;
    if (auto s = stream_->wait(); !s) return s;
    for (const auto& buffer : buffers_)
      if (buffer->damaged_guard()) return failure("a guard zone was overwritten");
    return {};
  }
  /// Reset, a captured run, a replay: what a CUDA graph gives.
  Status run_captured() {
    for (const Tensor& tensor : outputs_)
      if (auto s = device_.poison(tensor.region, Poison::nan_pattern, 1, *stream_); !s) return s;
    if (auto s = op_->reset(); !s) return s;
    if (auto s = stream_->wait(); !s) return s;
    if (auto s = stream_->begin_capture(); !s) return s;
    const auto enqueued = op_->enqueue();
    auto captured = stream_->end_capture();
    if (!enqueued) return enqueued;
    if (!captured) return tl::unexpected(captured.error());
    if (auto s = (*captured)->enqueue(*stream_); !s) return s;
    return stream_->wait();
  }
  Result<Digest> digest() { return device_.digest(outputs_, *stream_); }
  /// Copies in host memory that live until the next call.
  Result<std::vector<Tensor>> host_outputs() {
    host_.clear();
    std::vector<Tensor> tensors;
    for (const Tensor& tensor : outputs_) {
      host_.emplace_back(tensor.region.bytes);
      if (auto s = device_.copy_to_host(host_.back().data(), tensor.region, *stream_); !s) return tl::unexpected(s.error());
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) tensors.push_back({outputs_[i].spec, {host_[i].data(), host_[i].size()}});
    return tensors;
  }

 private:
  explicit BoundCase(Device& device) : device_(device) {}
  Result<Tensor> allocate(const TensorSpec& spec) {
    auto buffer = device_.allocate(spec.bytes());
    if (!buffer) return tl::unexpected(buffer.error());
    buffers_.push_back(std::move(*buffer));
    return Tensor{spec, {buffers_.back()->region().data, spec.bytes()}};
  }
  Device& device_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<Tensor> inputs_, outputs_;
  Region workspace_{};
  std::vector<std::vector<std::byte>> host_;
  std::unique_ptr<Op> op_;
};

/// Every algorithm that this device is offered, by every provider for which `takes(name)` holds: the reference accepts it, no
/// guard is damaged, and on a GPU a captured run is accepted too, which libraries may refuse. Returns how many ran.
template <class Takes>
int verify_offers(const Operation& operation, const Problem& problem, const Inputs& inputs, Device& device, Takes&& takes) {
  int ran = 0;
  const auto reference = operation.reference(problem, inputs);
  EXPECT_TRUE(reference) << reference.error().text;
  if (!reference) return 0;
  for (const auto& provider : operation.providers()) {
    if (!takes(provider->name())) continue;
    const auto offers = provider->offers(problem, device);
    EXPECT_TRUE(offers) << provider->name() << ": " << offers.error().text;
    if (!offers) continue;
    for (const Offer& offer : *offers) {
      const std::string name = case_id(problem, offer.algorithm);
      if (offer.unsupported) {
        EXPECT_FALSE(offer.unsupported->text.empty()) << name;
        continue;
      }
      const auto check = [&](BoundCase& bound, const Status& done, const char* how) {
        EXPECT_TRUE(done) << name << " " << how << ": " << done.error().text;
        if (!done) return;
        const auto outputs = bound.host_outputs();
        ASSERT_TRUE(outputs) << name << ": " << outputs.error().text;
        const auto found = (*reference)->check(offer.algorithm, *outputs);
        ASSERT_TRUE(found) << name << ": " << found.error().text;
        EXPECT_TRUE(found->passed) << name << " " << how << ": " << found->reason;
      };
      auto bound = BoundCase::make(operation, problem, *provider, offer.algorithm, inputs, device);
      if (!bound && bound.error().kind == Reason::Kind::unsupported) {  // said no sooner than when it was planned
        std::printf("%s: %s\n", name.c_str(), bound.error().text.c_str());
        continue;
      }
      EXPECT_TRUE(bound) << name << ": " << bound.error().text;
      if (!bound) continue;
      const auto done = (*bound)->run();
      if (!done && done.error().kind == Reason::Kind::unsupported) {  // said no sooner than when it was run
        std::printf("%s: %s\n", name.c_str(), done.error().text.c_str());
        continue;
      }
      ++ran;
      check(**bound, done, "run");
      if (!done && !device.usable()) return ran;
      if (!done || device.kind() != DeviceKind::cuda) continue;
      const auto captured = (*bound)->run_captured();
      const bool ours = provider->name() == "fixed_order" || provider->name() == "cuda" || provider->name() == "cuda_atomic";
      if (captured || ours)
        check(**bound, captured, "captured");
      else
        std::printf("%s is not captured: %s\n", name.c_str(), captured.error().text.c_str());
    }
  }
  return ran;
}
inline int verify_offers(const Operation& operation, const Problem& problem, const Inputs& inputs, Device& device) {
  return verify_offers(operation, problem, inputs, device, [](std::string_view) { return true; });
}

/// The digest of one run of "provider:algorithm" as hex; the reason where there is none.
inline std::string digest_of(const Operation& operation, const Problem& problem, const std::string& algorithm, const Inputs& inputs, Device& device) {
  const auto name = parse_case_id(problem_id(problem) + "/" + algorithm);
  if (!name) return name.error().text;
  const Provider* provider = operation.find_provider(name->algorithm.provider);
  if (provider == nullptr) return "no provider " + name->algorithm.provider;
  auto bound = BoundCase::make(operation, problem, *provider, name->algorithm, inputs, device);
  if (!bound) return bound.error().text;
  if (auto s = (*bound)->run(); !s) return s.error().text;
  const auto digest = (*bound)->digest();
  return digest ? to_hex(*digest) : digest.error().text;
}

/// `algorithm` exists on both kinds of device with one name and gives the same bits.
inline void expect_cpu_bits(const Operation& operation, const Problem& problem, const std::string& algorithm, const Inputs& inputs, Device& gpu) {
  const auto cpu = std::move(make_cpu_device().value());
  ASSERT_TRUE(cpu->activate());
  const std::string expected = digest_of(operation, problem, algorithm, inputs, *cpu);
  ASSERT_TRUE(parse_digest(expected)) << problem_id(problem) << " " << algorithm << ": " << expected;  // two equal refusals are no equal bits
  ASSERT_TRUE(gpu.activate());
  EXPECT_EQ(digest_of(operation, problem, algorithm, inputs, gpu), expected) << problem_id(problem) << " " << algorithm;
}

}  // namespace detbench::testing
