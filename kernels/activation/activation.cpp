#include "kernels/activation/activation.hpp"

#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

enum class Kind { relu6_forward, relu6_backward, sum };

// Element by element: no order to fix, so threads take what they like. The comparisons keep NaN a NaN in the forward.
void run(Kind kind, std::int64_t n, const float* a, const float* b, float* out) {
  switch (kind) {
    case Kind::relu6_forward:
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] < 0.0f ? 0.0f : (a[i] > 6.0f ? 6.0f : a[i]);
      break;
    case Kind::relu6_backward:
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] > 0.0f && a[i] < 6.0f ? b[i] : 0.0f;
      break;
    case Kind::sum:
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
      break;
  }
}

class ActivationOperation final : public SimpleOperation {
 public:
  ActivationOperation(std::string op, Kind kind, std::vector<std::string> inputs, std::string output)
      : SimpleOperation(std::move(op)), kind_(kind), inputs_(std::move(inputs)), output_(std::move(output)) {
    set_batch_field("n");
    add_provider(std::make_unique<FixedOrderProvider>("elementwise", [this](const Problem& problem) -> Result<SimplePlanParts> {
      auto c = describe(problem);
      if (!c) return tl::unexpected(c.error());
      SimplePlanParts parts{c->inputs, c->outputs, 0, {}, {}};
      parts.run = [kind = kind_, n = c->inputs[0].shape[0]](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
        run(kind, n, static_cast<const float*>(in[0].region.data), in.size() > 1 ? static_cast<const float*>(in[1].region.data) : nullptr,
            static_cast<float*>(out[0].region.data));
      };
      return parts;
    }, true));
  }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    switch (inputs.fill) {
      case InputFill::exact: return FillSpec{FillSpec::Kind::integers, inputs.seed, stream, 1.0, 8, 0.9};
      case InputFill::wide: return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 8, 1.0};
      default: return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 4.0, 1, 1.0};
    }
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
    if (problem.layout != "vector") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; vector does");
    auto f = read_shape(problem.shape, {{"n", 1, std::int64_t{1} << 36}});
    if (!f) return tl::unexpected(f.error());
    const Shape shape{(*f)[0]};
    const auto n = static_cast<double>((*f)[0]);
    SimpleCase c;
    for (const auto& role : inputs_) c.inputs.push_back({role, DataType::f32, shape, canonical_layout(shape)});
    c.outputs.push_back({output_, DataType::f32, shape, canonical_layout(shape)});
    c.cost = {n, 4.0 * n * (static_cast<double>(inputs_.size()) + 1)};
    c.evaluate = [kind = kind_](const std::vector<std::vector<double>>& in) {
      Expected e{std::vector<double>(in[0].size()), std::vector<double>(in[0].size(), 0.0), {}};
      for (std::size_t i = 0; i < in[0].size(); ++i) {
        if (kind == Kind::relu6_forward) e.value[i] = std::clamp(in[0][i], 0.0, 6.0);
        if (kind == Kind::relu6_backward) e.value[i] = in[0][i] > 0 && in[0][i] < 6 ? in[1][i] : 0.0;
        if (kind == Kind::sum) {
          e.value[i] = in[0][i] + in[1][i];
          e.bound[i] = unit_roundoff_f32 * (1 + 0x1p-20) * std::abs(e.value[i]);  // one rounding, the double's own beside it
        }
      }
      return std::vector<Expected>{std::move(e)};
    };
    return c;
  }

 private:
  Kind kind_;
  std::vector<std::string> inputs_;
  std::string output_;
};

}  // namespace

std::vector<std::unique_ptr<Operation>> make_activation_operations() {
  std::vector<std::unique_ptr<Operation>> operations;
  operations.push_back(std::make_unique<ActivationOperation>("relu6_fwd", Kind::relu6_forward, std::vector<std::string>{"src"}, "dst"));
  operations.push_back(std::make_unique<ActivationOperation>("relu6_bwd", Kind::relu6_backward, std::vector<std::string>{"src", "diff_dst"}, "diff_src"));
  operations.push_back(std::make_unique<ActivationOperation>("add", Kind::sum, std::vector<std::string>{"a", "b"}, "dst"));
  return operations;
}

Problem vector_problem(std::string op, std::int64_t elements) {
  return {std::move(op), "n" + std::to_string(elements), "f32_f32_strict", "vector"};
}

}  // namespace detbench
