#include "tests/bench/workers/fake_operation.hpp"

#include <signal.h>
#include <unistd.h>

#include <cmath>

#include "kernels/tensor/compare.hpp"

namespace detbench::test {
namespace {

Shape shape_of(const Problem& problem) {
  auto fields = read_shape(problem.shape, {{"n", 1, 1 << 20}});
  return fields ? Shape{(*fields)[0]} : Shape{1};
}

/// A bit that differs between processes. Of a hash, because processes may come in steps of two ids.
bool coin_of_process() { return ((static_cast<unsigned>(getpid()) * 2654435761U) >> 20 & 1U) != 0; }

class FakeOp final : public Op {
 public:
  FakeOp(std::string name, const Tensor& x, const Tensor& y) : name_(std::move(name)), x_(x), y_(y) {}
  Status enqueue() override {
    static int calls = 0;
    ++calls;
    if (name_ == "crashes_when_run" || (name_ == "crashes_when_timed" && calls >= 1000)) raise(SIGSEGV);
    if (name_ == "hangs")
      for (;;) pause();
    const auto* x = static_cast<const float*>(x_.region.data);
    auto* y = static_cast<float*>(y_.region.data);
    const auto n = element_count(x_.spec.shape);
    for (std::int64_t i = 0; i < n; ++i) y[i] = 2 * x[i];
    if (name_ == "wrong") y[n / 2] += 1;
    if (name_ == "differs_by_process") y[0] = std::nextafterf(y[0], coin_of_process() ? 1e9F : -1e9F);
    return {};
  }

 private:
  std::string name_;
  Tensor x_, y_;
};

class FakePlan final : public Plan {
 public:
  FakePlan(std::string name, Shape shape) : name_(std::move(name)) {
    inputs_ = {{"x", DataType::f32, shape, canonical_layout(shape)}};
    outputs_ = {{"y", DataType::f32, shape, canonical_layout(shape)}};
  }
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> in, std::span<const Tensor> out, Region, Stream&) override {
    return std::make_unique<FakeOp>(name_, in[0], out[0]);
  }

 private:
  std::string name_;
  std::vector<TensorSpec> inputs_, outputs_;
};

class FakeProvider final : public Provider {
 public:
  std::string_view name() const override { return "fake"; }
  Result<std::vector<Offer>> offers(const Problem&, Device&) const override {
    std::vector<Offer> offers;
    for (const char* name : {"steady", "crashes_when_run", "crashes_when_timed", "hangs", "exhausts_memory", "wrong", "differs_by_process",
                             "other_steady", "absent"}) {
      Offer offer;
      offer.algorithm = {"fake", name, {}, {}};
      if (offer.algorithm.name == "absent") offer.unsupported = Reason{"needs a library that is not here", Reason::Kind::unsupported};
      offers.push_back(offer);
    }
    return offers;
  }
  std::optional<Offer> offer_by_name(const Problem&, const Algorithm& algorithm, Device&) const override {
    if (algorithm.name != "unlisted") return std::nullopt;
    Offer offer;
    offer.algorithm = {"fake", "unlisted", {}, {Guarantee::run_to_run, "by name", {Scope::repeat}}};
    offer.notes["found"] = "by name";
    return offer;
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device&) const override {
    if (algorithm.name == "exhausts_memory") return failure("1 TiB of workspace is not to be had", Reason::Kind::out_of_memory);
    return std::make_unique<FakePlan>(algorithm.name, shape_of(problem));
  }
};

class FakeReference final : public Reference {
 public:
  FakeReference(Shape shape, FillSpec fill) : x_(static_cast<std::size_t>(element_count(shape))), spec_{"x", DataType::f32, shape, canonical_layout(shape)} {
    filled_ = fill_on_host({spec_, {x_.data(), x_.size() * 4}}, fill);
  }
  Result<Verification> check(const Algorithm&, std::span<const Tensor> outputs) const override {
    if (!filled_) return tl::unexpected(filled_.error());
    Verification v;
    v.checked = v.outputs = x_.size();
    v.passed = true;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const double want = 2.0 * x_[i], got = element_as_double(outputs[0], static_cast<std::int64_t>(i));
      if (std::abs(got - want) <= 1e-6 * std::abs(want)) continue;
      v.passed = false;
      v.reason = "element " + std::to_string(i) + " is wrong";
    }
    return v;
  }

 private:
  std::vector<float> x_;
  TensorSpec spec_;
  Status filled_;
};

class FakeOperation final : public Operation {
 public:
  FakeOperation() { providers_.push_back(std::make_unique<FakeProvider>()); }
  std::string_view op() const override { return "fake"; }
  Status check(const Problem& problem) const override {
    auto fields = read_shape(problem.shape, {{"n", 1, 1 << 20}});
    return fields ? Status{} : tl::unexpected(fields.error());
  }
  Cost cost(const Problem& problem) const override { return {2.0 * static_cast<double>(shape_of(problem)[0]), 8.0}; }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  bool has_exact_fill() const override { return false; }
  Result<FillSpec> fill(const Problem&, const TensorSpec& input, const Inputs& inputs) const override {
    FillSpec spec;
    spec.kind = FillSpec::Kind::normal;
    spec.seed = inputs.seed;
    spec.stream = "fake/" + input.role;
    return spec;
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    const auto shape = shape_of(problem);
    auto spec = fill(problem, {"x", DataType::f32, shape, canonical_layout(shape)}, inputs);
    return std::make_unique<FakeReference>(shape, *spec);
  }

 private:
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::unique_ptr<Operation> make_fake_operation() { return std::make_unique<FakeOperation>(); }

}  // namespace detbench::test
