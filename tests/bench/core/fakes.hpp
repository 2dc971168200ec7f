// A fake operation over host memory whose hazards are planted: dst[i] = 2 * src[i], and then whatever a behaviour does.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/core/probe.hpp"
#include "kernels/op.hpp"
#include "kernels/tensor/compare.hpp"

namespace detbench {

/// What a behaviour may touch. `dst` already holds the right answer unless `fills_dst` was switched off.
struct FakeRun {
  std::uint32_t call;          ///< runs of this op so far: 0 is the first one after bind()
  std::uint32_t ops;           ///< ops bound so far, this one included
  const float* src;
  float* dst;
  std::int64_t n;
  void* workspace;
  DeviceConfiguration planned;  ///< configuration when the plan was made
  bool replayed = false;        ///< run by a CapturedWork instead of enqueue()
  std::uint32_t instantiation = 0;  ///< of that work, counted from 1
};
using Behaviour = std::function<Status(FakeRun&)>;

struct FakeTraits {
  std::int64_t n = 64;
  std::size_t workspace_bytes = 0;
  bool fills_dst = true;
  bool exact_fill = true;
  bool consumes_inputs = false;                          ///< the op may write src; reset() then restores nothing
  std::function<Status(const DeviceConfiguration&)> exists = {};  ///< for which configurations a plan can be made
  bool has_batch = false;                                ///< every element is a sample of its own
  bool heeds_sm_count_target = false;
  std::size_t alignment_bytes = 16;
  std::string not_capturable = {};                       ///< why enqueue() fails while it is being captured
};

/// A stream that records what FakeOp puts on it while it captures.
class FakeStream final : public Stream {
 public:
  using Work = std::function<Status(std::uint32_t instantiation)>;
  explicit FakeStream(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  Status record(Event& event) override { return stream_->record(event); }
  Status wait() override { return stream_->wait(); }
  void* native() const override { return nullptr; }
  Status begin_capture() override {
    if (capturing_) return failure("this stream is capturing already");
    capturing_ = true;
    return {};
  }
  Result<std::unique_ptr<CapturedWork>> end_capture() override {
    capturing_ = false;
    return std::make_unique<FakeGraph>(std::move(recorded_));
  }
  bool capturing() const { return capturing_; }
  void add(Work work) { recorded_.push_back(std::move(work)); }

 private:
  class FakeGraph final : public CapturedWork {
   public:
    explicit FakeGraph(std::vector<Work> work) : work_(std::move(work)) {}
    Status enqueue(Stream&) override {
      for (const auto& work : work_)
        if (auto done = work(instantiation_); !done) return done;
      return {};
    }
    Status instantiate() override {
      ++instantiation_;
      return {};
    }

   private:
    std::vector<Work> work_;
    std::uint32_t instantiation_ = 1;
  };
  std::unique_ptr<Stream> stream_;
  std::vector<Work> recorded_;
  bool capturing_ = false;
};

/// The host's memory and arithmetic behind a device that says it is a GPU: it captures, has 132 multiprocessors that come
/// in eights, and pools.
class FakeGpu final : public Device {
 public:
  static Result<std::unique_ptr<Device>> make(const DeviceConfiguration& configuration, std::shared_ptr<const bool> lost = nullptr) {
    auto host = make_cpu_device({.threads = 1,
                                 .alignment_bytes = configuration.alignment_bytes,
                                 .offset_bytes = configuration.offset_bytes,
                                 .placement_seed = configuration.placement_seed});
    if (!host) return tl::unexpected(host.error());
    return std::unique_ptr<Device>(new FakeGpu(configuration, std::move(*host), std::move(lost)));
  }
  DeviceKind kind() const override { return DeviceKind::cuda; }
  std::string name() const override { return "fake GPU"; }
  const DeviceConfiguration& configuration() const override { return configuration_; }
  Status activate() override { return host_->activate(); }
  MultiprocessorLimits multiprocessors() const override { return {132, 8, 8}; }
  Status usable() override { return lost_ && *lost_ ? Status(failure("an illegal address was used")) : Status{}; }
  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, std::size_t element_bytes) override { return host_->allocate(bytes, element_bytes); }
  Result<std::unique_ptr<Stream>> make_stream(int priority) override {
    auto stream = host_->make_stream(priority);
    if (!stream) return stream;
    return std::make_unique<FakeStream>(std::move(*stream));
  }
  Result<std::unique_ptr<Event>> make_event() override { return host_->make_event(); }
  Result<Digest> digest(std::span<const Tensor> tensors, Stream& stream) override { return host_->digest(tensors, stream); }
  Status fill(const Tensor& tensor, const FillSpec& spec, Stream& stream) override { return host_->fill(tensor, spec, stream); }
  Status poison(Region region, Poison poison, std::uint64_t seed, Stream& stream) override { return host_->poison(region, poison, seed, stream); }
  Status copy_to_host(void* target, Region source, Stream& stream) override { return host_->copy_to_host(target, source, stream); }
  Status copy_from_host(Region target, const void* source, Stream& stream) override { return host_->copy_from_host(target, source, stream); }
  Status copy(Region target, Region source, Stream& stream) override { return host_->copy(target, source, stream); }
  Status evict_caches(Stream& stream) override { return host_->evict_caches(stream); }

 private:
  FakeGpu(const DeviceConfiguration& configuration, std::unique_ptr<Device> host, std::shared_ptr<const bool> lost)
      : configuration_(configuration), host_(std::move(host)), lost_(std::move(lost)) {}
  DeviceConfiguration configuration_;
  std::unique_ptr<Device> host_;
  std::shared_ptr<const bool> lost_;
};

class FakeOp final : public Op {
 public:
  FakeOp(const Behaviour& behaviour, const FakeTraits& traits, FakeRun run, Stream& stream)
      : behaviour_(behaviour), traits_(traits), run_(run), stream_(dynamic_cast<FakeStream*>(&stream)) {}
  Status enqueue() override {
    if (!stream_ || !stream_->capturing()) return compute();
    if (!traits_.not_capturable.empty()) return failure(traits_.not_capturable);
    stream_->add([this](std::uint32_t instantiation) {
      run_.replayed = true;
      run_.instantiation = instantiation;
      auto done = compute();
      run_.replayed = false;
      return done;
    });
    return {};
  }

 private:
  Status compute() {
    if (traits_.fills_dst)
      for (std::int64_t i = 0; i < run_.n; ++i) run_.dst[i] = 2 * run_.src[i];
    auto done = behaviour_ ? behaviour_(run_) : Status{};
    ++run_.call;
    return done;
  }
  Behaviour behaviour_;
  FakeTraits traits_;
  FakeRun run_;
  FakeStream* stream_;
};

class FakePlan final : public Plan {
 public:
  FakePlan(Behaviour behaviour, FakeTraits traits, DeviceConfiguration planned, std::shared_ptr<std::uint32_t> ops)
      : behaviour_(std::move(behaviour)), traits_(std::move(traits)), planned_(planned), ops_(std::move(ops)),
        inputs_{{"src", DataType::f32, {traits_.n}, canonical_layout({traits_.n})}},
        outputs_{{"dst", DataType::f32, {traits_.n}, canonical_layout({traits_.n})}} {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override { return traits_.workspace_bytes; }
  std::size_t alignment_bytes() const override { return traits_.alignment_bytes; }
  int sm_count_target() const override { return traits_.heeds_sm_count_target ? planned_.sm_count_target : 0; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> in, std::span<const Tensor> out, Region workspace, Stream& stream) override {
    FakeRun run{0, ++*ops_, static_cast<const float*>(in[0].region.data), static_cast<float*>(out[0].region.data), traits_.n,
                workspace.data, planned_};
    return std::make_unique<FakeOp>(behaviour_, traits_, run, stream);
  }

 private:
  Behaviour behaviour_;
  FakeTraits traits_;
  DeviceConfiguration planned_;
  std::shared_ptr<std::uint32_t> ops_;
  std::vector<TensorSpec> inputs_, outputs_;
};

/// dst == 2 * src, to one part in 2^20 for the rounding fill: planted last-bit changes are legitimate results.
class FakeReference final : public Reference {
 public:
  FakeReference(std::vector<float> src, bool exact) : src_(std::move(src)), exact_(exact) {}
  Result<Verification> check(const Algorithm&, std::span<const Tensor> outputs) const override {
    Verification found;
    found.outputs = found.checked = src_.size();
    for (std::size_t i = 0; i < src_.size(); ++i) {
      const double value = element_as_double(outputs[0], static_cast<std::int64_t>(i)), right = 2.0 * src_[i];
      const double allowed = exact_ ? 0 : std::max(0x1p-20 * std::abs(right), 0x1p-40);
      if (!(std::abs(value - right) <= allowed) && found.reason.empty())
        found.reason = "dst[" + std::to_string(i) + "] is " + std::to_string(value) + " instead of " + std::to_string(right);
    }
    found.passed = found.reason.empty();
    // As if every element that is not exactly right were wrong by one unit of its own.
    if (!exact_) {
      found.accuracy.emplace();
      for (std::size_t i = 0; i < src_.size(); ++i)
        found.accuracy->error_ulp += element_as_double(outputs[0], static_cast<std::int64_t>(i)) != 2.0 * src_[i];
    }
    return found;
  }

 private:
  std::vector<float> src_;
  bool exact_;
};

class FakeOperation final : public Operation {
 public:
  explicit FakeOperation(Behaviour behaviour = {}, FakeTraits traits = {}) : traits_(traits), ops_(std::make_shared<std::uint32_t>(0)) {
    providers_.push_back(std::make_unique<FakeProvider>(std::move(behaviour), std::move(traits), ops_));
  }
  std::string_view op() const override { return "fake"; }
  Status check(const Problem&) const override { return {}; }
  Cost cost(const Problem&) const override { return {}; }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  bool has_exact_fill() const override { return traits_.exact_fill; }
  Result<std::int64_t> batch_size(const Problem& problem) const override {
    return traits_.has_batch ? Result<std::int64_t>(traits_.n) : Operation::batch_size(problem);
  }
  /// The larger problem says its size in its shape; the baseline's says nothing, whatever its traits.
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    BatchVariant variant{problem, {BatchSlice{position, traits_.n}}, {BatchSlice{position, traits_.n}}};
    variant.problem.shape = "batch" + std::to_string(batch);
    return variant;
  }
  Result<FillSpec> fill(const Problem&, const TensorSpec& input, const Inputs& inputs) const override {
    FillSpec fill;
    fill.kind = inputs.fill == InputFill::exact ? FillSpec::Kind::integers : FillSpec::Kind::uniform;
    fill.seed = inputs.seed;
    fill.stream = "fake/" + input.role;
    fill.limit = 8;
    return fill;
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    std::vector<float> src(static_cast<std::size_t>(traits_.n));
    const Tensor tensor{{"src", DataType::f32, {traits_.n}, canonical_layout({traits_.n})}, {src.data(), src.size() * sizeof(float)}};
    if (auto filled = fill_on_host(tensor, *fill(problem, tensor.spec, inputs)); !filled) return tl::unexpected(filled.error());
    ++references_made;
    return std::make_unique<FakeReference>(std::move(src), inputs.fill == InputFill::exact);
  }
  mutable int references_made = 0;

 private:
  class FakeProvider final : public Provider {
   public:
    FakeProvider(Behaviour behaviour, FakeTraits traits, std::shared_ptr<std::uint32_t> ops)
        : behaviour_(std::move(behaviour)), traits_(std::move(traits)), ops_(std::move(ops)) {}
    std::string_view name() const override { return "fake"; }
    Result<std::vector<Offer>> offers(const Problem&, Device&) const override { return std::vector<Offer>{}; }
    Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm&, Device& device) const override {
      if (traits_.exists)
        if (auto exists = traits_.exists(device.configuration()); !exists) return tl::unexpected(exists.error());
      auto traits = traits_;
      if (problem.shape.starts_with("batch")) traits.n = std::stoll(problem.shape.substr(5));
      return std::make_unique<FakePlan>(behaviour_, traits, device.configuration(), ops_);
    }

   private:
    Behaviour behaviour_;
    FakeTraits traits_;
    std::shared_ptr<std::uint32_t> ops_;
  };
  FakeTraits traits_;
  std::shared_ptr<std::uint32_t> ops_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

inline const Problem fake_problem{"fake", "n64", "f32", "vector"};
inline Algorithm fake_algorithm() {
  Algorithm algorithm;
  algorithm.provider = "fake";
  algorithm.name = "any";
  return algorithm;
}
inline Result<std::unique_ptr<Device>> make_fake_device(const DeviceConfiguration& configuration) { return make_cpu_device(configuration); }

/// The bits of a float, flipped in the last place.
inline void flip_last_bit(float& value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits ^= 1;
  std::memcpy(&value, &bits, sizeof bits);
}

/// An op prepared over a device, stream and store of its own.
struct FakeBench {
  explicit FakeBench(Behaviour behaviour, FakeTraits traits = {}, Inputs inputs = {}, DeviceConfiguration configuration = {.threads = 1})
      : operation(std::move(behaviour), std::move(traits)), device(*make_cpu_device(configuration)), stream(*device->make_stream()),
        store(*device, *stream), op(*PreparedOp::make(operation, fake_problem, fake_algorithm(), inputs, *device, *stream, store)) {}
  FakeOperation operation;
  std::unique_ptr<Device> device;
  std::unique_ptr<Stream> stream;
  TensorStore store;
  std::unique_ptr<PreparedOp> op;
};

inline const ScopeResult& scope_of(const ArmReport& report, Scope scope) {
  for (const auto& result : report.agreement)
    if (result.scope == scope) return result;
  static const ScopeResult none;
  return none;
}

}  // namespace detbench
