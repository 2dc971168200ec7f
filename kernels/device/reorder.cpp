#include "kernels/device/reorder.hpp"

#include <cstring>

#include "kernels/device/onednn.hpp"
#include "kernels/device/reorder_cuda.hpp"
#include "kernels/device/reorder_transpose.hpp"
#include "kernels/device/reorder_types.hpp"
#include "kernels/tensor/layout_walk.hpp"

namespace detbench {
namespace {

constexpr std::size_t alignment = 64;
std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

/// Elements that one thread takes at a time: two buffers of them fit the first-level cache.
constexpr std::int64_t chunk_elements = 2048;

/// Canonical order in the middle: gather, convert, scatter, each a plain loop.
template <class Conversion>
void copy_elements(const LayoutWalk& from, const LayoutWalk& to, const void* source, void* target) {
  using Source = typename reorder::ConversionTypes<Conversion>::Source;
  using Target = typename reorder::ConversionTypes<Conversion>::Target;
  const std::int64_t n = from.elements();
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < n; first += chunk_elements) {
    const std::int64_t count = std::min(chunk_elements, n - first);
    Source in[chunk_elements];
    Target out[chunk_elements];
    gather(from, sizeof(Source), source, first, count, in);
    for (std::int64_t i = 0; i < count; ++i) out[i] = Conversion{}(in[i]);
    scatter(to, sizeof(Target), target, first, count, out);
  }
}

/// A tile of neighbouring rows and columns at a time: every cache line that is fetched for a tile is used for it.
template <class Conversion>
void transpose_tiles(const reorder::Transpose& transpose, const void* source, void* target) {
  using Target = typename reorder::ConversionTypes<Conversion>::Target;
  const auto* in = static_cast<const typename reorder::ConversionTypes<Conversion>::Source*>(source);
  auto* out = static_cast<Target*>(target);
#pragma omp parallel for schedule(static)
  for (std::int64_t k = 0; k < transpose.tiles(); ++k) {
    const auto tile = transpose.tile(k);
    const int rows = static_cast<int>(std::min<std::int64_t>(reorder::tile_size, transpose.rows - tile.row));
    const int columns = static_cast<int>(std::min<std::int64_t>(reorder::tile_size, transpose.columns - tile.column));
    Target held[reorder::tile_size][reorder::tile_size];
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) held[c][r] = Conversion{}(in[transpose.source(tile, r, 0) + c]);
    for (int c = 0; c < columns; ++c) std::copy_n(held[c], rows, out + transpose.target(tile, 0, c));
  }
}

/// Memory that lies alike, padding included: zero stays zero.
template <class Conversion>
void convert_memory(std::int64_t n, const void* source, void* target) {
  const auto* in = static_cast<const typename reorder::ConversionTypes<Conversion>::Source*>(source);
  auto* out = static_cast<typename reorder::ConversionTypes<Conversion>::Target*>(target);
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < n; ++i) out[i] = Conversion{}(in[i]);
}

class ReorderOp final : public Op {
 public:
  ReorderOp(Tensor source, Tensor target)
      : from_(source.spec), to_(target.spec), transpose_(reorder::transpose_of(source.spec, target.spec)), source_(std::move(source)), target_(std::move(target)) {}
  Status enqueue() override {
    const void* source = source_.region.data;
    void* target = target_.region.data;
    const TensorSpec &from = source_.spec, &to = target_.spec;
    reorder::with_conversion(from.type, to.type, [&](auto conversion) {
      using Conversion = decltype(conversion);
      if (reorder::same_places(from, to)) return convert_memory<Conversion>(to.layout.elements, source, target);
      if (transpose_) return transpose_tiles<Conversion>(*transpose_, source, target);
      // Only a padded target has elements that the copy does not write.
      if (to.layout.elements != element_count(to.shape)) std::memset(target, 0, to.bytes());
      copy_elements<Conversion>(from_, to_, source, target);
    });
    return {};
  }

 private:
  LayoutWalk from_, to_;
  std::optional<reorder::Transpose> transpose_;
  Tensor source_, target_;
};

class ReorderPlan final : public Plan {
 public:
  ReorderPlan(TensorSpec from, TensorSpec to) : inputs_{std::move(from)}, outputs_{std::move(to)} {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region,
                                   Stream& stream) override {
    if (inputs.size() != 1 || outputs.size() != 1) return failure("a reorder has one input and one output");
    const Tensor source{inputs_[0], inputs[0].region}, target{outputs_[0], outputs[0].region};
    if (stream.native() != nullptr) return reorder::bind_cuda_reorder(source, target, stream);
    return std::make_unique<ReorderOp>(source, target);
  }
  std::map<std::string, std::string> notes() const override { return {{"implementation", "own"}}; }

 private:
  std::vector<TensorSpec> inputs_, outputs_;
};

Status check_pair(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (from.shape != to.shape) return failure("a reorder keeps the shape: those of " + from.role + " and " + to.role + " differ");
  if (from.type != to.type && !(reorder::is_converted(from.type) && reorder::is_converted(to.type)))
    return failure("a reorder does not turn " + std::string(to_text(from.type)) + " into " + std::string(to_text(to.type)) +
                   "; it knows f32, f64, f16 and bf16");
  if (from.shape.size() > max_rank) return unsupported("a reorder of more than five dimensions");
  if (device.kind() == DeviceKind::cuda) return reorder::check_cuda_reorder(from, to);
  return {};
}

class SequenceOp final : public Op {
 public:
  SequenceOp(std::vector<std::unique_ptr<Op>> steps, std::size_t inner) : steps_(std::move(steps)), inner_(inner) {}
  Status enqueue() override {
    for (auto& step : steps_)
      if (auto status = step->enqueue(); !status) return status;
    return {};
  }
  Status reset() override { return steps_[inner_]->reset(); }

 private:
  std::vector<std::unique_ptr<Op>> steps_;
  std::size_t inner_;
};

class WithReorders final : public Plan {
 public:
  static Result<std::unique_ptr<Plan>> make(std::unique_ptr<Plan> inner, std::vector<TensorSpec> inputs,
                                            std::vector<TensorSpec> outputs, Device& device) {
    auto plan = std::unique_ptr<WithReorders>(new WithReorders);
    plan->before_.resize(inputs.size());
    plan->after_.resize(outputs.size());
    std::string moved;
    const auto add = [&](std::unique_ptr<Plan>& place, const TensorSpec& from, const TensorSpec& to) -> Status {
      if (same_layout(from, to)) return {};
      auto reorder = plan_reorder(from, to, device);
      if (!reorder) return tl::unexpected(reorder.error());
      place = std::move(*reorder);
      moved += (moved.empty() ? "" : "+") + from.role;
      return {};
    };
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (auto status = add(plan->before_[i], inputs[i], inner->inputs()[i]); !status) return tl::unexpected(status.error());
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (auto status = add(plan->after_[i], inner->outputs()[i], outputs[i]); !status) return tl::unexpected(status.error());
    if (moved.empty()) return inner;
    plan->reorders_ = moved;
    plan->inner_ = std::move(inner);
    plan->inputs_ = std::move(inputs);
    plan->outputs_ = std::move(outputs);
    return plan;
  }

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  std::size_t workspace_bytes() const override {
    // Steps run one after another, so one scratch area serves all; the copies live beside it.
    std::size_t bytes = scratch_bytes();
    for (std::size_t i = 0; i < before_.size(); ++i)
      if (before_[i]) bytes += aligned(inner_->inputs()[i].bytes());
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i]) bytes += aligned(inner_->outputs()[i].bytes());
    return bytes;
  }
  bool needs_reset() const override { return inner_->needs_reset(); }
  std::map<std::string, std::string> notes() const override {
    auto notes = inner_->notes();
    notes["reorders"] = reorders_;
    return notes;
  }

  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace,
                                   Stream& stream) override {
    if (workspace.bytes < workspace_bytes())
      return failure("the workspace holds " + std::to_string(workspace.bytes) + " bytes, the plan needs " +
                     std::to_string(workspace_bytes()));
    auto* memory = static_cast<std::byte*>(workspace.data);
    const Region scratch{memory, scratch_bytes()};
    memory += scratch.bytes;
    const auto take = [&](const TensorSpec& spec) {
      Tensor tensor{spec, {memory, spec.bytes()}};
      memory += aligned(spec.bytes());
      return tensor;
    };
    std::vector<Tensor> inner_inputs(inputs.begin(), inputs.end()), inner_outputs(outputs.begin(), outputs.end());
    std::vector<std::unique_ptr<Op>> steps;
    const auto add = [&](Plan& plan, std::span<const Tensor> in, std::span<const Tensor> out) -> Status {
      auto op = plan.bind(in, out, scratch, stream);
      if (!op) return tl::unexpected(op.error());
      steps.push_back(std::move(*op));
      return {};
    };
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (!before_[i]) continue;
      inner_inputs[i] = take(inner_->inputs()[i]);
      if (auto status = add(*before_[i], inputs.subspan(i, 1), {&inner_inputs[i], 1}); !status)
        return tl::unexpected(status.error());
    }
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i]) inner_outputs[i] = take(inner_->outputs()[i]);
    const auto inner_step = steps.size();
    if (auto status = add(*inner_, inner_inputs, inner_outputs); !status) return tl::unexpected(status.error());
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (after_[i])
        if (auto status = add(*after_[i], {&inner_outputs[i], 1}, outputs.subspan(i, 1)); !status)
          return tl::unexpected(status.error());
    return std::make_unique<SequenceOp>(std::move(steps), inner_step);
  }

 private:
  std::size_t scratch_bytes() const {
    std::size_t bytes = inner_->workspace_bytes();
    for (const auto* plans : {&before_, &after_})
      for (const auto& plan : *plans)
        if (plan) bytes = std::max(bytes, plan->workspace_bytes());
    return aligned(bytes);
  }
  std::unique_ptr<Plan> inner_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<std::unique_ptr<Plan>> before_, after_;  ///< null where the layouts agree
  std::string reorders_;
};

}  // namespace

bool same_layout(const TensorSpec& a, const TensorSpec& b) { return a.type == b.type && reorder::same_places(a, b); }

Result<std::unique_ptr<Plan>> plan_own_reorder(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (auto status = check_pair(from, to, device); !status) return tl::unexpected(status.error());
  return std::make_unique<ReorderPlan>(from, to);
}

Result<std::unique_ptr<Plan>> plan_reorder(const TensorSpec& from, const TensorSpec& to, Device& device) {
  if (auto status = check_pair(from, to, device); !status) return tl::unexpected(status.error());
  // oneDNN rounds as the processor's own conversions do, and some of those flush denormals.
  if (from.type == to.type)
    if (auto plan = plan_onednn_reorder(from, to, device); plan) return plan;
  return std::make_unique<ReorderPlan>(from, to);
}

Result<std::unique_ptr<Plan>> plan_with_reorders(std::unique_ptr<Plan> inner, std::vector<TensorSpec> inputs,
                                                 std::vector<TensorSpec> outputs, Device& device) {
  if (inner->inputs().size() != inputs.size() || inner->outputs().size() != outputs.size())
    return failure("a plan with " + std::to_string(inner->inputs().size()) + " inputs was given layouts for " +
                   std::to_string(inputs.size()));
  return WithReorders::make(std::move(inner), std::move(inputs), std::move(outputs), device);
}

}  // namespace detbench
