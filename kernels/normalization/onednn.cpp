// oneDNN's batch norm, every implementation. The fused forms are what its users build from it, as one op:
//   forward and inference   relu: the library's own fusion, fuse_norm_relu ("...+fuse_norm_relu"; in training it keeps a mask for its
//                           own backward, which lies in the workspace here); relu6 and swish: batch norm and the library's
//                           eltwise in place ("...+swish"; relu6, the first, has no suffix)
//   backward                our mask or slope into the workspace, then batch norm's gradient ("swish_slope+...", "relu_mask+...";
//                           relu6, the first, has no prefix). It reads as much memory as oneDNN's gradient of an eltwise would,
//                           and needs no kept output.
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

/// What a forward is asked for: the hint of a backward is a plain one.
struct Asked {
  dnnl::prop_kind kind = dnnl::prop_kind::forward_training;
  dnnl::normalization_flags flags = detbench::normalization::flags;
};

// 3.x asks for the descriptors of both sides, 2.x for one.
template <class Visit>
Status visit_forward(const Desc& data, const Asked& asked, Visit&& visit) {
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<Forward>("batch norm", onednn::NoHint{}, visit, asked.kind, data, data, batch_norm_epsilon, asked.flags);
#else
  return onednn::visit_implementations<Forward>("batch norm", onednn::NoHint{}, visit, asked.kind, data, batch_norm_epsilon, asked.flags);
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
/// ReLU6 or swish.
template <class Visit>
Status visit_eltwise(const Desc& data, Activation activation, Visit&& visit) {
  const bool swish = activation == Activation::swish;
  const auto algorithm = swish ? dnnl::algorithm::eltwise_swish : dnnl::algorithm::eltwise_clip;
  const float alpha = swish ? 1.0f : 0.0f, beta = swish ? 0.0f : 6.0f;
#if DNNL_VERSION_MAJOR >= 3
  return onednn::visit_implementations<dnnl::eltwise_forward>("eltwise", onednn::NoHint{}, visit, dnnl::prop_kind::forward_inference, algorithm, data, data, alpha, beta);
#else
  return onednn::visit_implementations<dnnl::eltwise_forward>("eltwise", onednn::NoHint{}, visit, dnnl::prop_kind::forward_inference, algorithm, data, alpha, beta);
#endif
}

/// 2.x wants the shift as an argument of the backward too, though the gradient does not depend on it: it gets gamma's
/// memory, which it never reads.
constexpr bool backward_wants_shift = DNNL_VERSION_MAJOR < 3;

constexpr std::size_t align_up(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Forward: primitive, then the activation. Backward: our gradient of the activation into the workspace, then the primitive.
class FusedOp final : public Op {
 public:
  std::function<void()> through;
  std::unique_ptr<Op> main, eltwise;
  Status enqueue() override {
    if (through) through();
    if (auto s = main->enqueue(); !s) return s;
    return eltwise ? eltwise->enqueue() : Status{};
  }
};

class FusedPlan final : public Plan {
 public:
  FusedPlan(BatchNormProblem problem, std::string layout, BatchNormSpecs specs, std::unique_ptr<Plan> main, std::unique_ptr<Plan> eltwise)
      : problem_(std::move(problem)), layout_(std::move(layout)), specs_(std::move(specs)), main_(std::move(main)), eltwise_(std::move(eltwise)) {}
  const std::vector<TensorSpec>& inputs() const override { return specs_.inputs; }
  const std::vector<TensorSpec>& outputs() const override { return specs_.outputs; }
  std::size_t workspace_bytes() const override {
    return scratch_bytes() + (slopes() ? align_up(specs_.outputs[0].bytes()) + 2 * row_bytes() : 0) + align_up(kept_bytes());
  }
  std::map<std::string, std::string> notes() const override { return {{"activation_layout", layout_}}; }
  Result<std::unique_ptr<Op>> bind(std::span<const Tensor> inputs, std::span<const Tensor> outputs, Region workspace, Stream& stream) override {
    if (auto s = matches_specs(inputs, specs_.inputs, "inputs"); !s) return tl::unexpected(s.error());
    if (auto s = matches_specs(outputs, specs_.outputs, "outputs"); !s) return tl::unexpected(s.error());
    if (workspace.bytes < workspace_bytes()) return invalid_input("the workspace is smaller than the plan's " + std::to_string(workspace_bytes()) + " bytes");
    auto op = std::make_unique<FusedOp>();
    std::vector<Tensor> in(inputs.begin(), inputs.end());
    auto* base = static_cast<std::byte*>(workspace.data) + scratch_bytes();
    if (slopes()) {
      in[1].region = {base, specs_.outputs[0].bytes()};
      op->through = make_through(inputs, base);
      in.pop_back();  // beta serves the activation only
    }
    std::vector<Tensor> out(outputs.begin(), outputs.end());
    if (keeps()) out.push_back({main_->outputs().back(), {base, kept_bytes()}});
    if (problem_.backward && backward_wants_shift) in.push_back(in[4]);
    auto main = main_->bind(in, out, workspace, stream);
    if (!main) return tl::unexpected(main.error());
    op->main = std::move(*main);
    if (eltwise_) {
      auto eltwise = eltwise_->bind(outputs.first(1), outputs.first(1), workspace, stream);
      if (!eltwise) return tl::unexpected(eltwise.error());
      op->eltwise = std::move(*eltwise);
    }
    return op;
  }

 private:
  bool slopes() const { return problem_.backward && problem_.activation != Activation::none; }
  /// The mask of fuse_norm_relu in training, which nobody reads here: one output more.
  bool keeps() const { return main_->outputs().size() > specs_.outputs.size(); }
  std::size_t kept_bytes() const { return keeps() ? main_->outputs().back().bytes() : 0; }
  std::size_t scratch_bytes() const { return align_up(std::max(main_->workspace_bytes(), eltwise_ ? eltwise_->workspace_bytes() : 0)); }
  std::size_t row_bytes() const { return align_up(sizeof(float) * (static_cast<std::size_t>(problem_.channels) + 2 * group)); }
  std::function<void()> make_through(std::span<const Tensor> inputs, std::byte* base) const {
    const auto at = [&](std::size_t i) { return static_cast<const float*>(inputs[i].region.data); };
    auto* d = reinterpret_cast<float*>(base);
    auto* scale = reinterpret_cast<float*>(base + align_up(specs_.outputs[0].bytes()));
    auto* shift = reinterpret_cast<float*>(base + align_up(specs_.outputs[0].bytes()) + row_bytes());
    return [g = make_geometry(problem_, layout_), x = at(0), dy = at(1), mean = at(2), variance = at(3), gamma = at(4), beta = at(5),
            d, scale, shift, activation = problem_.activation, &kernels = best_kernels()] {
      for (std::int64_t c = 0; c < g.padded_channels(); ++c) {
        const bool real = c < g.channels;
        scale[c] = real ? gamma[c] / std::sqrt(variance[c] + batch_norm_epsilon) : 0.0f;
        shift[c] = real ? beta[c] - mean[c] * scale[c] : 0.0f;
      }
#pragma omp parallel for schedule(static)
      for (std::int64_t t = 0; t < g.element_tasks(); ++t)
        g.for_elements(t, [&](std::int64_t at, std::int64_t pixels, std::int64_t channel, std::int64_t width) {
          if (g.block == 1) kernels.plane_through(x + at, dy + at, d + at, pixels, scale[channel], shift[channel], activation);
          else kernels.through(x + at, dy + at, d + at, g.stride(), pixels, width, scale + channel, shift + channel, activation);
        });
    };
  }

  BatchNormProblem problem_;
  std::string layout_;
  BatchNormSpecs specs_;
  std::unique_ptr<Plan> main_, eltwise_;
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

std::string suffix_of(const BatchNormProblem& p) {
  return p.activation == Activation::relu ? "+fuse_norm_relu" : p.activation == Activation::swish ? "+swish" : "";
}
std::string prefix_of(const BatchNormProblem& p) {
  return p.activation == Activation::relu ? "relu_mask+" : p.activation == Activation::swish ? "swish_slope+" : "";
}

/// Visits the implementations of the batch norm itself: visit(name, make plan).
Status visit_plans(const Setting& s, const std::function<bool(const std::string&, const std::function<std::unique_ptr<Plan>()>&)>& visit) {
  const bool none = s.problem.activation == Activation::none, fuses = s.problem.activation == Activation::relu && !s.problem.backward;
  const auto plan_of = [&](auto primitive, const std::vector<onednn::Argument>& arguments, const Desc& scratchpad, std::int64_t kept_bytes = 0) {
    auto inputs = s.specs.inputs;
    auto outputs = s.specs.outputs;
    if (s.problem.backward && !none) inputs.pop_back();
    if (kept_bytes > 0) {
      const Shape shape{kept_bytes};
      outputs.push_back({"relu_mask", DataType::u8, shape, canonical_layout(shape)});
    }
    if (s.problem.backward && backward_wants_shift) inputs.push_back(inputs[4]);
    return std::make_unique<onednn::PrimitivePlan>(primitive, std::move(inputs), std::move(outputs), arguments, scratchpad, std::map<std::string, std::string>{});
  };
  const Desc channel({s.problem.channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
  const auto forward = [&](Forward::primitive_desc& pd) {
    return visit(pd.impl_info_str() + suffix_of(s.problem), [&]() -> std::unique_ptr<Plan> {
      std::vector<onednn::Argument> arguments{{DNNL_ARG_SRC, s.data}, {DNNL_ARG_SCALE, channel}, {DNNL_ARG_SHIFT, channel}};
      if (s.problem.inference) {
        for (int id : {DNNL_ARG_MEAN, DNNL_ARG_VARIANCE}) arguments.push_back({id, channel});
        arguments.push_back({DNNL_ARG_DST, s.data});
        return plan_of(Forward(pd), arguments, pd.scratchpad_desc());
      }
      arguments.push_back({DNNL_ARG_DST, s.data});
      for (int id : {DNNL_ARG_MEAN, DNNL_ARG_VARIANCE}) arguments.push_back({id, channel});
      const Desc kept = pd.workspace_desc();
      const auto kept_bytes = static_cast<std::int64_t>(kept.get_size());
      if (kept_bytes > 0) arguments.push_back({DNNL_ARG_WORKSPACE, kept});
      return plan_of(Forward(pd), arguments, pd.scratchpad_desc(), kept_bytes);
    });
  };
  Asked asked;
  if (s.problem.inference) asked = {dnnl::prop_kind::forward_inference, flags | dnnl::normalization_flags::use_global_stats};
  if (fuses) asked.flags = asked.flags | dnnl::normalization_flags::fuse_norm_relu;
  if (!s.problem.backward) return visit_forward(s.data, asked, forward);
  std::optional<Forward::primitive_desc> hint;
  if (auto status = visit_forward(s.data, {}, [&](Forward::primitive_desc& pd) { return hint = pd, false; }); !status) return status;
  return visit_backward(s.data, *hint, [&](Backward::primitive_desc& pd) {
    return visit(prefix_of(s.problem) + pd.impl_info_str(), [&]() -> std::unique_ptr<Plan> {
      std::vector<onednn::Argument> arguments{{DNNL_ARG_SRC, s.data}, {DNNL_ARG_DIFF_DST, s.data}, {DNNL_ARG_MEAN, channel},
                                              {DNNL_ARG_VARIANCE, channel}, {DNNL_ARG_SCALE, channel}};
      if (backward_wants_shift) arguments.push_back({DNNL_ARG_SHIFT, channel});
      for (auto [id, desc] : {std::pair{DNNL_ARG_DIFF_SRC, s.data}, {DNNL_ARG_DIFF_SCALE, channel}, {DNNL_ARG_DIFF_SHIFT, channel}})
        arguments.push_back({id, desc});
      return plan_of(Backward(pd), arguments, pd.scratchpad_desc());
    });
  });
}

Result<std::unique_ptr<Plan>> plan_eltwise(const Setting& s) {
  std::unique_ptr<Plan> eltwise;
  const auto status = visit_eltwise(s.data, s.problem.activation, [&](dnnl::eltwise_forward::primitive_desc& pd) {
    const std::vector<TensorSpec> dst{s.specs.outputs[0]};
    eltwise = std::make_unique<onednn::PrimitivePlan>(dnnl::eltwise_forward(pd), dst, dst, std::vector<onednn::Argument>{{DNNL_ARG_SRC, s.data}, {DNNL_ARG_DST, s.data}},
                                                   pd.scratchpad_desc(), std::map<std::string, std::string>{});
    return false;
  });
  if (!status) return tl::unexpected(status.error());
  return eltwise;
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
    std::unique_ptr<Plan> eltwise;
    const Activation activation = setting->problem.activation;
    if (!setting->problem.backward && (activation == Activation::relu6 || activation == Activation::swish)) {
      auto made = plan_eltwise(*setting);
      if (!made) return tl::unexpected(made.error());
      eltwise = std::move(*made);
    }
    return std::make_unique<FusedPlan>(setting->problem, setting->layout, setting->specs, std::move(main), std::move(eltwise));
  }
};

}  // namespace

std::unique_ptr<Provider> make_onednn_provider() { return std::make_unique<OneDnnProvider>(); }

}  // namespace detbench::normalization
