// oneDNN's batch norm, every implementation. The fused ReLU6 forms are what its users build from it, as one op: forward
// is batch norm and a clip in place; backward is the ReLU6 mask into the workspace and batch norm's gradient. (The
// library's own fused form is plain ReLU.) The mask is our kernel: it reads as much memory as oneDNN's gradient of a
// clip would, and needs no kept output.
#include <cmath>

#include "kernels/device/onednn_api.hpp"
#include "kernels/normalization/geometry.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench::normalization {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::batch_normalization_forward;
using Backward = dnnl::batch_normalization_backward;
const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;

// 3.x asks for the descriptors of both sides, 2.x for one.
template <class Visit>
Status visit_forward(const Desc& data, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Forward>("batch norm", onednn::NoHint{}, visit, dnnl::prop_kind::forward_training, data, data, batch_norm_epsilon, flags);
#else
  return onednn::visit_implementations<Forward>("batch norm", onednn::NoHint{}, visit, dnnl::prop_kind::forward_training, data, batch_norm_epsilon, flags);
#endif
}
template <class Visit>
Status visit_backward(const Desc& data, const Forward::primitive_desc& hint, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Backward>("batch norm", hint, visit, dnnl::prop_kind::backward, data, data, data, batch_norm_epsilon, flags);
#else
  return onednn::visit_implementations<Backward>("batch norm", hint, visit, dnnl::prop_kind::backward, data, data, batch_norm_epsilon, flags);
#endif
}
template <class Visit>
Status visit_clip(const Desc& data, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<dnnl::eltwise_forward>("clip", onednn::NoHint{}, visit, dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_clip, data, data, 0.0f, 6.0f);
#else
  return onednn::visit_implementations<dnnl::eltwise_forward>("clip", onednn::NoHint{}, visit, dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_clip, data, 0.0f, 6.0f);
#endif
}

/// 2.x wants the shift as an argument of the backward too, though the gradient does not depend on it: it gets gamma's
/// memory, which it never reads.
constexpr bool backward_wants_shift = DNNL_VERSION_MAJOR < 3;

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Forward: primitive, then the clip. Backward: mask into the workspace, then the primitive.
class FusedOp final : public Op {
 public:
  std::function<void()> mask;
  std::unique_ptr<Op> main, clip;
  Status enqueue() override {
    if (mask) mask();
    if (auto s = main->enqueue(); !s) return s;
    return clip ? clip->enqueue() : Status{};
  }
};

class FusedPlan final : public Plan {
 public:
  FusedPlan(BatchNormProblem problem, std::string layout, BatchNormSpecs specs, std::unique_ptr<Plan> main, std::unique_ptr<Plan> clip)
      : problem_(std::move(problem)), layout_(std::move(layout)), specs_(std::move(specs)), main_(std::move(main)), clip_(std::move(clip)) {}
  const std::vector<TensorSpec>& inputs() const override { return specs_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return specs_.outputs; }
  std::size_t workspace_bytes() const override {
    const std::size_t scratch = std::max(main_->workspace_bytes(), clip_ ? clip_->workspace_bytes() : 0);
    return align_up(scratch) + (masks() ? align_up(specs_.outputs[0].bytes()) + 2 * row_bytes() : 0);
  }
  std::map<std::string, std::string> notes() const override { return {{"activation_layout", layout_}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, specs_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, specs_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes()) return invalid_input("the workspace is smaller than the plan's " + std::to_string(workspace_bytes()) + " bytes");
    auto op = std::make_unique<FusedOp>();
    std::vector<Tensor> in(inputs.begin(), inputs.end());
    if (masks()) {
      const std::size_t scratch = workspace_bytes() - align_up(specs_.outputs[0].bytes()) - 2 * row_bytes();
      auto* base = static_cast<std::byte*>(workspace.data) + scratch;
      in[1].region = {base, specs_.outputs[0].bytes()};
      op->mask = make_mask(inputs, base);
      in.pop_back();  // beta serves the mask only
    }
    if (problem_.backward && backward_wants_shift) in.push_back(in[4]);
    auto main = main_->bind(in, outputs, workspace, stream);
    if (!main) return tl::unexpected(main.error());
    op->main = std::move(*main);
    if (clip_) {
      auto clip = clip_->bind(outputs.first(1), outputs.first(1), workspace, stream);
      if (!clip) return tl::unexpected(clip.error());
      op->clip = std::move(*clip);
    }
    return op;
  }

 private:
  bool masks() const { return problem_.backward && problem_.relu6; }
  std::size_t row_bytes() const { return align_up(sizeof(float) * (static_cast<std::size_t>(problem_.channels) + 2 * group)); }
  std::function<void()> make_mask(std::span<const Tensor> inputs, std::byte* base) const {
    const auto at = [&](std::size_t i) { return static_cast<const float*>(inputs[i].region.data); };
    auto* masked = reinterpret_cast<float*>(base);
    auto* scale = reinterpret_cast<float*>(base + align_up(specs_.outputs[0].bytes()));
    auto* shift = reinterpret_cast<float*>(base + align_up(specs_.outputs[0].bytes()) + row_bytes());
    return [g = make_geometry(problem_, layout_), x = at(0), dy = at(1), mean = at(2), variance = at(3), gamma = at(4), beta = at(5),
            masked, scale, shift, &kernels = best_kernels()] {
      for (std::int64_t c = 0; c < g.padded_channels(); ++c) {
        const bool real = c < g.channels;
        scale[c] = real ? gamma[c] / std::sqrt(variance[c] + batch_norm_epsilon) : 0.0f;
        shift[c] = real ? beta[c] - mean[c] * scale[c] : 0.0f;
      }
#pragma omp parallel for schedule(static)
      for (std::int64_t t = 0; t < g.element_tasks(); ++t)
        g.for_elements(t, [&](std::int64_t at, std::int64_t pixels, std::int64_t channel, std::int64_t width) {
          if (g.block == 1) kernels.plane_mask(x + at, dy + at, masked + at, pixels, scale[channel], shift[channel]);
          else kernels.mask(x + at, dy + at, masked + at, g.stride(), pixels, width, scale + channel, shift + channel);
        });
    };
  }

  BatchNormProblem problem_;
  std::string layout_;
  BatchNormSpecs specs_;
  std::unique_ptr<Plan> main_, clip_;
};

/// What every question needs: the problem, its layout in memory, its tensors and the descriptor of the activations.
struct Setting {
  BatchNormProblem problem;
  std::string layout;
  BatchNormSpecs specs;
  Desc data;
};

Result<Setting> setting_of(const Problem& problem, Device& device) {
  if (device.kind() != DeviceKind::cpu) return unsupported("oneDNN's batch norm runs on the CPU here");
  auto p = parse_batch_norm(problem);
  if (!p) return tl::unexpected(p.error());
  if (p->storage != DataType::f32) return unsupported("oneDNN's batch norm is asked in f32 only here");
  // The block that the library's own convolutions choose on this machine.
  std::string layout = p->layout;
  if (layout == "blocked") layout = kernels_for(InstructionSet::avx512) ? "nchw16c" : "nchw8c";
  auto specs = batch_norm_specs(*p, layout);
  if (!specs) return tl::unexpected(specs.error());
  auto data = onednn::describe(specs->inputs[0]);
  if (!data) return tl::unexpected(data.error());
  return Setting{*p, std::move(layout), std::move(*specs), std::move(*data)};
}

/// Visits the implementations of the batch norm itself: visit(name, make plan).
Status visit_plans(const Setting& s, const std::function<bool(const std::string&, const std::function<std::unique_ptr<Plan>()>&)>& visit) {
  const auto plan_of = [&](auto primitive, const std::vector<onednn::Argument>& arguments, const Desc& scratchpad) {
    auto inputs = s.specs.inputs;
    if (s.problem.backward && s.problem.relu6) inputs.pop_back();
    if (s.problem.backward && backward_wants_shift) inputs.push_back(inputs[4]);
    return std::make_unique<onednn::PrimitivePlan>(primitive, std::move(inputs), s.specs.outputs, arguments, scratchpad, std::map<std::string, std::string>{});
  };
  const Desc channel({s.problem.channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
  const auto forward = [&](Forward::primitive_desc& pd) {
    return visit(pd.impl_info_str(), [&]() -> std::unique_ptr<Plan> {
      return plan_of(Forward(pd), {{DNNL_ARG_SRC, s.data}, {DNNL_ARG_SCALE, channel}, {DNNL_ARG_SHIFT, channel},
                                   {DNNL_ARG_DST, s.data}, {DNNL_ARG_MEAN, channel}, {DNNL_ARG_VARIANCE, channel}}, pd.scratchpad_desc());
    });
  };
  if (!s.problem.backward) return visit_forward(s.data, forward);
  std::optional<Forward::primitive_desc> hint;
  if (auto status = visit_forward(s.data, [&](Forward::primitive_desc& pd) { return hint = pd, false; }); !status) return status;
  return visit_backward(s.data, *hint, [&](Backward::primitive_desc& pd) {
    return visit(pd.impl_info_str(), [&]() -> std::unique_ptr<Plan> {
      std::vector<onednn::Argument> arguments{{DNNL_ARG_SRC, s.data}, {DNNL_ARG_DIFF_DST, s.data}, {DNNL_ARG_MEAN, channel},
                                              {DNNL_ARG_VARIANCE, channel}, {DNNL_ARG_SCALE, channel}};
      if (backward_wants_shift) arguments.push_back({DNNL_ARG_SHIFT, channel});
      for (auto [id, desc] : {std::pair{DNNL_ARG_DIFF_SRC, s.data}, {DNNL_ARG_DIFF_SCALE, channel}, {DNNL_ARG_DIFF_SHIFT, channel}})
        arguments.push_back({id, desc});
      return plan_of(Backward(pd), arguments, pd.scratchpad_desc());
    });
  });
}

Result<std::unique_ptr<Plan>> plan_clip(const Setting& s) {
  std::unique_ptr<Plan> clip;
  const auto status = visit_clip(s.data, [&](dnnl::eltwise_forward::primitive_desc& pd) {
    const std::vector<TensorSpec> dst{s.specs.outputs[0]};
    clip = std::make_unique<onednn::PrimitivePlan>(dnnl::eltwise_forward(pd), dst, dst, std::vector<onednn::Argument>{{DNNL_ARG_SRC, s.data}, {DNNL_ARG_DST, s.data}},
                                                   pd.scratchpad_desc(), std::map<std::string, std::string>{});
    return false;
  });
  if (!status) return tl::unexpected(status.error());
  return clip;
}

class OneDnnProvider final : public Provider {
 public:
  std::string_view name() const override { return "onednn"; }
  Result<std::vector<Offer>> offers(const Problem& problem, Device& device) const override {
    if (auto p = parse_batch_norm(problem); !p) return tl::unexpected(p.error());
    std::vector<Offer> offers;
    auto setting = setting_of(problem, device);
    auto status = setting ? visit_plans(*setting, [&](const std::string& name, const auto&) {
      for (const auto& o : offers)
        if (o.algorithm.name == name) return true;
      offers.push_back({{"onednn", name, {}, {}, true, 1.0}, std::nullopt});
      return true;
    }) : Status(tl::unexpected(setting.error()));
    if (!status && offers.empty()) offers.push_back({{"onednn", "any", {}, {}, true, 1.0}, status.error()});
    return offers;
  }
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, const Algorithm& algorithm, Device& device) const override {
    auto setting = setting_of(problem, device);
    if (!setting) return tl::unexpected(setting.error());
    std::unique_ptr<Plan> main;
    const auto status = visit_plans(*setting, [&](const std::string& name, const auto& make) {
      if (name == algorithm.name) main = make();
      return !main;
    });
    if (!status) return tl::unexpected(status.error());
    if (!main) return unsupported("oneDNN offers no implementation '" + algorithm.name.substr(0, 60) + "' for " + problem_id(problem));
    std::unique_ptr<Plan> clip;
    if (setting->problem.relu6 && !setting->problem.backward) {
      auto made = plan_clip(*setting);
      if (!made) return tl::unexpected(made.error());
      clip = std::move(*made);
    }
    return std::make_unique<FusedPlan>(setting->problem, setting->layout, setting->specs, std::move(main), std::move(clip));
  }
};

}  // namespace

std::unique_ptr<Provider> make_onednn_provider() { return std::make_unique<OneDnnProvider>(); }

}  // namespace detbench::normalization
