// An operation that any device can run: dst = src by the device's own copy. What is planted is a second copy behind it, of one
// element's neighbour, in runs that the host chooses: a difference in device memory without a kernel of the proof's own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/op.hpp"
#include "kernels/tensor/fill.hpp"

namespace detbench {

/// Whether the planted copy happens in this run; asked once per run.
using Planted = std::function<bool()>;

class CopyOp final : public Op {
 public:
  CopyOp(Device& device, Stream& stream, const Tensor& src, const Tensor& dst, Planted planted)
      : device_(device), stream_(stream), src_(src.region), dst_(dst.region), planted_(std::move(planted)) {}
  Status enqueue() override {
    if (auto done = device_.copy(dst_, src_, stream_); !done || !planted_ || !planted_()) return done;
    const auto element = [](const Region& region, std::size_t from_the_end) {
      return Region{static_cast<std::byte*>(region.data) + region.bytes - from_the_end * sizeof(float), sizeof(float)};
    };
    return device_.copy(element(dst_, 1), element(src_, 2), stream_);
  }

 private:
  Device& device_;
  Stream& stream_;
  Region src_, dst_;
  Planted planted_;
};

class CopyPlan final : public Plan {
 public:
  CopyPlan(Device& device, std::int64_t n, Planted planted)
      : device_(device), planted_(std::move(planted)), inputs_{{"src", DataType::f32, {n}, canonical_layout({n})}},
        outputs_{{"dst", DataType::f32, {n}, canonical_layout({n})}} {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override { return 0; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> in, std::span<const Tensor> out, Region, Stream& stream) override {
    return std::make_unique<CopyOp>(device_, stream, in[0], out[0], planted_);
  }

 private:
  Device& device_;
  Planted planted_;
  std::vector<TensorSpec> inputs_, outputs_;
};

class CopyOperation final : public Operation {
 public:
  CopyOperation(std::int64_t n, Planted planted) { providers_.push_back(std::make_unique<CopyProvider>(n, std::move(planted))); }
  std::string_view op() const override { return "copy"; }
  Status check(const Problem&) const override { return {}; }
  Cost cost(const Problem&) const override { return {}; }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  Result<FillSpec> fill(const Problem&, const TensorSpec&, const Inputs& inputs) const override {
    FillSpec fill;
    fill.kind = FillSpec::Kind::uniform;
    fill.seed = inputs.seed;
    fill.stream = "copy/src";
    return fill;
  }
  Result<std::unique_ptr<Reference>> reference(const Problem&, const Inputs&) const override { return unsupported("a copy is its own reference"); }

 private:
  class CopyProvider final : public Provider {
   public:
    CopyProvider(std::int64_t n, Planted planted) : n_(n), planted_(std::move(planted)) {}
    std::string_view name() const override { return "copy"; }
    Result<std::vector<Offer>> offers(const Problem&, Device&) const override { return std::vector<Offer>{}; }
    Result<std::unique_ptr<Plan>> plan(const Problem&, const Algorithm&, Device& device) const override {
      return std::make_unique<CopyPlan>(device, n_, planted_);
    }

   private:
    std::int64_t n_;
    Planted planted_;
  };
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace detbench
