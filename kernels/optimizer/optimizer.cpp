#include "kernels/optimizer/optimizer.hpp"

#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

/// Elements of one tensor that one thread takes at a time.
struct Piece {
  std::size_t tensor;
  std::int64_t begin, end;
};
constexpr std::int64_t piece_elements = 8192;

void update(const float* g, const float* w, const float* v, float* w_out, float* v_out, std::int64_t n, float rate, float momentum) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float velocity = v[i] * momentum - g[i] * rate;
    v_out[i] = velocity;
    w_out[i] = w[i] + velocity;
  }
}

SimplePlanParts make_parts(const std::vector<std::int64_t>& elements, const SgdRates& rates) {
  SimplePlanParts parts;
  std::vector<Piece> pieces;
  const auto add = [&](std::vector<TensorSpec>& list, const char* role) {
    for (auto n : elements) list.push_back({role, DataType::f32, {n}, canonical_layout({n})});
  };
  add(parts.inputs, "gradient"), add(parts.inputs, "weights"), add(parts.inputs, "velocity");
  add(parts.outputs, "weights"), add(parts.outputs, "velocity");
  for (std::size_t t = 0; t < elements.size(); ++t)
    for (std::int64_t i = 0; i < elements[t]; i += piece_elements) pieces.push_back({t, i, std::min(i + piece_elements, elements[t])});
  // The rates are Python floats in Keras, rounded to f32 when they meet the weights.
  parts.run = [pieces = std::move(pieces), count = elements.size(), rate = static_cast<float>(rates.learning_rate),
               momentum = static_cast<float>(rates.momentum)](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
    const auto at = [](const Tensor& t, std::int64_t i) { return static_cast<float*>(t.region.data) + i; };
#pragma omp parallel for schedule(static)
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      const auto [t, i, end] = pieces[k];
      update(at(in[t], i), at(in[count + t], i), at(in[2 * count + t], i), at(out[t], i), at(out[count + t], i), end - i, rate, momentum);
    }
  };
  return parts;
}

class SgdMomentumOperation final : public SimpleOperation {
 public:
  SgdMomentumOperation() : SimpleOperation("sgd_momentum") {
    add_provider(std::make_unique<FixedOrderProvider>("elementwise", [this](const Problem& problem) -> Result<SimplePlanParts> {
      auto c = describe(problem);
      if (!c) return tl::unexpected(c.error());
      return make_parts({c->inputs[0].shape[0]}, SgdRates{});
    }, true));
  }
  bool has_exact_fill() const override { return false; }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 8, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, input.role == "velocity" ? 0.01 : 1.0, 1, 1.0};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
    if (problem.layout != "vector") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; vector does");
    auto f = read_shape(problem.shape, {{"n", 1, std::int64_t{1} << 36}});
    if (!f) return tl::unexpected(f.error());
    const Shape shape{(*f)[0]};
    const auto spec = [&](const char* role) { return TensorSpec{role, DataType::f32, shape, canonical_layout(shape)}; };
    const auto n = static_cast<double>((*f)[0]);
    SimpleCase c{{spec("gradient"), spec("weights"), spec("velocity")}, {spec("weights"), spec("velocity")}, {4 * n, 20 * n}, {}};
    c.evaluate = [](const std::vector<std::vector<double>>& in) {
      const double rate = static_cast<float>(SgdRates{}.learning_rate), momentum = static_cast<float>(SgdRates{}.momentum), u = unit_roundoff_f32;
      Expected weights, velocity;
      for (std::size_t i = 0; i < in[0].size(); ++i) {
        const double kept = in[2][i] * momentum, step = in[0][i] * rate, v = kept - step;
        velocity.value.push_back(v);
        velocity.bound.push_back(u * 1.001 * (std::abs(kept) + std::abs(step) + std::abs(v)));
        weights.value.push_back(in[1][i] + v);
        weights.bound.push_back(velocity.bound.back() + u * 1.001 * std::abs(in[1][i] + v));
      }
      return std::vector<Expected>{std::move(weights), std::move(velocity)};
    };
    return c;
  }
};

}  // namespace

std::unique_ptr<Operation> make_sgd_momentum_operation() { return std::make_unique<SgdMomentumOperation>(); }

std::unique_ptr<Plan> plan_sgd_momentum(const std::vector<std::int64_t>& elements, const SgdRates& rates) {
  return std::make_unique<SimplePlan>(make_parts(elements, rates));
}

}  // namespace detbench
