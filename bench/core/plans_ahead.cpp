#include "bench/core/plans_ahead.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

namespace detbench {
namespace {

/// The alignment that a configuration makes true of every buffer, as far as plans can tell: libraries ask for 16 bytes and
/// take nothing from more.
std::size_t effective_alignment(const DeviceConfiguration& c) {
  std::size_t alignment = 16;
  while (alignment > 1 && (c.alignment_bytes % alignment != 0 || c.offset_bytes % alignment != 0)) alignment /= 2;
  return alignment;
}

/// Everything of a configuration that a plan may depend on; where buffers lie beyond their alignment is no part of it.
std::string key_of(const Problem& problem, const Algorithm& algorithm, const DeviceConfiguration& c) {
  return case_id(problem, algorithm) + "|" + std::to_string(c.threads) + "|" + std::to_string(effective_alignment(c)) + "|" +
         std::to_string(c.sm_count_target) + "|" + std::to_string(c.multiprocessors);
}

/// What leaves a thread as an exception would end the process.
Result<std::unique_ptr<Plan>> plan_or_reason(const Provider& provider, const Problem& problem, const Algorithm& algorithm, Device& device) {
  try {
    return provider.plan(problem, algorithm, device);
  } catch (const std::exception& error) {
    return failure(std::string("threw: ") + error.what());
  }
}

/// A plan that several ops share, with the seconds that building it took.
class SharedPlan final : public Plan {
 public:
  SharedPlan(std::shared_ptr<Plan> plan, double built_in_s) : plan_(std::move(plan)), built_in_s_(built_in_s) {}
  const std::vector<TensorSpec>& inputs() const override { return plan_->inputs(); }
  const std::vector<TensorSpec>& outputs() const override { return plan_->outputs(); }
  std::size_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  std::size_t alignment_bytes() const override { return plan_->alignment_bytes(); }
  int sm_count_target() const override { return plan_->sm_count_target(); }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    return plan_->bind(inputs, outputs, workspace, stream);
  }
  std::map<std::string, std::string> notes() const override { return plan_->notes(); }
  std::optional<double> built_in_s() const override { return built_in_s_; }

 private:
  std::shared_ptr<Plan> plan_;
  double built_in_s_;
};

class ProviderWithPlans final : public Provider {
 public:
  ProviderWithPlans(const Provider& provider, const PlansAhead& plans) : provider_(provider), plans_(plans) {}
  std::string_view name() const override { return provider_.name(); }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override { return provider_.offers(problem, device); }
  std::optional<Offer> offer_by_name(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    return provider_.offer_by_name(problem, algorithm, device);
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    if (auto ready = plans_.find(problem, algorithm, device.configuration()))
      return std::make_unique<SharedPlan>(ready, ready->built_in_s().value_or(0));
    return provider_.plan(problem, algorithm, device);
  }

 private:
  const Provider& provider_;
  const PlansAhead& plans_;
};

class OperationWithPlans final : public Operation {
 public:
  OperationWithPlans(const Operation& operation, const PlansAhead& plans) : operation_(operation) {
    for (const auto& provider : operation.providers()) providers_.push_back(std::make_unique<ProviderWithPlans>(*provider, plans));
  }
  std::string_view op() const override { return operation_.op(); }
  Status check(const Problem& problem) const override { return operation_.check(problem); }
  Cost cost(const Problem& problem) const override { return operation_.cost(problem); }
  const std::vector<std::unique_ptr<Provider>>& providers() const override { return providers_; }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    return operation_.fill(problem, input, inputs);
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    return operation_.reference(problem, inputs);
  }
  bool has_exact_fill() const override { return operation_.has_exact_fill(); }
  Result<std::int64_t> batch_size(const Problem& problem) const override { return operation_.batch_size(problem); }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    return operation_.in_batch(problem, batch, position);
  }

 private:
  const Operation& operation_;
  std::vector<std::unique_ptr<Provider>> providers_;
};

}  // namespace

std::size_t PlansAhead::build(const Operation& operation, const Problem& problem, const std::vector<Algorithm>& algorithms,
                              const MakeDevice& make_device, const DeviceConfiguration& configuration, unsigned threads) {
  std::atomic<std::size_t> next{0}, built{0};
  const auto work = [&] {
    auto made = make_device(configuration);
    if (!made || !(*made)->activate()) return;
    const std::shared_ptr<Device> device = std::move(*made);
    for (std::size_t i = next++; i < algorithms.size(); i = next++) {
      const auto key = key_of(problem, algorithms[i], device->configuration());
      const auto* provider = operation.find_provider(algorithms[i].provider);
      {
        const std::lock_guard lock(mutex_);
        if (provider == nullptr || plans_.contains(key)) continue;
      }
      const auto start = std::chrono::steady_clock::now();
      auto plan = plan_or_reason(*provider, problem, algorithms[i], *device);
      if (!plan) continue;
      const double built_in_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      const std::lock_guard lock(mutex_);
      // Plans may refer to the device they were made on, so it lives as long as the last of them.
      const std::shared_ptr<Plan> kept(plan->release(), [device](Plan* p) { delete p; });
      plans_[key] = std::make_shared<SharedPlan>(kept, built_in_s);
      ++built;
    }
  };
  std::vector<std::jthread> workers;
  for (unsigned i = 0; i < std::max(1U, threads) && i < algorithms.size(); ++i) workers.emplace_back(work);
  workers.clear();
  return built;
}

std::shared_ptr<Plan> PlansAhead::find(const Problem& problem, const Algorithm& algorithm, const DeviceConfiguration& configuration) const {
  const std::lock_guard lock(mutex_);
  const auto found = plans_.find(key_of(problem, algorithm, configuration));
  return found == plans_.end() ? nullptr : found->second;
}

void PlansAhead::clear() {
  const std::lock_guard lock(mutex_);
  plans_.clear();
}

std::unique_ptr<Operation> with_plans_ahead(const Operation& operation, const PlansAhead& plans) {
  return std::make_unique<OperationWithPlans>(operation, plans);
}

}  // namespace detbench
