// The swept operations: one vector, one step with stated rates, held against Keras's formulas in fp64.
#include <array>
#include <charconv>

#include "kernels/optimizer/parts.hpp"
#include "kernels/optimizer/rounded.hpp"

namespace detbench {
namespace optimizer {
namespace {

struct StepProblem {
  std::int64_t elements = 1;
  double learning_rate = 0;
  std::int64_t t = 1;
  OptimizerSpec spec;

  Request request() const {
    // The step's own alpha is the last entry of a table that ends with it.
    const auto table = rate_table(spec, std::vector<double>(spec.kind == OptimizerSpec::adam ? static_cast<std::size_t>(t) : 1, learning_rate));
    return {{elements}, {true}, spec, false, 0, {table[table.size() - 2], table.back(), 1, false}};
  }
};

struct Operand {
  const char* key;
  double* value;
  bool is_flag;
};

Result<StepProblem> parse(OptimizerSpec::Kind kind, const Problem& problem) {
  if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
  if (problem.layout != "vector") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; vector does");
  const std::string shape = "shape '" + problem.shape.substr(0, 200) + "' of " + problem.op;
  auto fields = parse_shape(problem.shape);
  if (!fields) return tl::unexpected(fields.error());
  StepProblem p;
  p.spec.kind = kind;
  p.learning_rate = kind == OptimizerSpec::sgd ? SgdRates{}.learning_rate : 0.001;
  if (kind == OptimizerSpec::sgd) p.spec.momentum = SgdRates{}.momentum;
  double elements = 0, nesterov = 0, centered = 0, amsgrad = 0, t = 1;
  std::vector<Operand> known{{"n", &elements, false}, {"lr", &p.learning_rate, false}};
  if (kind != OptimizerSpec::adam) known.push_back({"m", &p.spec.momentum, false});
  if (kind == OptimizerSpec::sgd) known.push_back({"nesterov", &nesterov, true});
  if (kind == OptimizerSpec::rmsprop) known.push_back({"rho", &p.spec.rho, false});
  if (kind != OptimizerSpec::sgd) known.push_back({"eps", &p.spec.epsilon, false});
  if (kind == OptimizerSpec::rmsprop) known.push_back({"centered", &centered, true});
  if (kind == OptimizerSpec::adam)
    known.insert(known.end(), {{"betaone", &p.spec.beta1, false}, {"betatwo", &p.spec.beta2, false}, {"t", &t, false}, {"amsgrad", &amsgrad, true}});
  known.push_back({"wd", &p.spec.weight_decay, false});
  std::string form = "nN";
  for (const auto& k : known)
    if (k.key != known[0].key) form += std::string("[_") + k.key + "X]";
  std::size_t next = 0;
  for (const auto& [key, text] : *fields) {
    while (next < known.size() && known[next].key != key) ++next;
    if (next == known.size() || (next > 0 && elements == 0)) return invalid_input(shape + " should read " + form);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *known[next].value);
    if (error != std::errc{} || end != text.data() + text.size() || (known[next].is_flag && *known[next].value != 0 && *known[next].value != 1))
      return invalid_input(std::string(known[next].key) + " in " + shape + (known[next].is_flag ? " is 0 or 1" : " is a number"));
    ++next;
  }
  if (!(elements >= 1 && elements <= 0x1p36) || elements != std::floor(elements)) return invalid_input("n in " + shape + " is a whole number from 1 to 2^36");
  if (!(t >= 1 && t <= 1e5) || t != std::floor(t)) return invalid_input("t in " + shape + " is a whole number from 1 to 100000");
  if (!(p.learning_rate <= 1e6)) return invalid_input("lr in " + shape + " is at most 1000000");
  p.elements = static_cast<std::int64_t>(elements), p.t = static_cast<std::int64_t>(t);
  p.spec.nesterov = nesterov != 0, p.spec.centered = centered != 0, p.spec.amsgrad = amsgrad != 0;
  if (auto s = detbench::check(p.spec); !s) return tl::unexpected(s.error());
  return p;
}

/// Keras's formulas in fp64 with the error that f32 may make, from the same f32 constants; one weight.
/// `out`: the new weight, then the new slots.
void expect(const StepProblem& p, double gradient, double weight, const std::array<double, most_slots>& slots, std::array<Rounded, 1 + most_slots>& out) {
  const auto constant = [](double value) { return Rounded{static_cast<double>(static_cast<float>(value)), 0}; };
  const Rounded g{gradient, 0}, rate = constant(p.learning_rate);
  const auto old = [&](int s) { return Rounded{slots[s], 0}; };
  Rounded w{weight, 0};
  if (p.spec.weight_decay != 0) w = w - w * constant(p.spec.weight_decay) * rate;
  if (p.spec.kind == OptimizerSpec::sgd) {
    const Rounded momentum = constant(p.spec.momentum), step = g * rate;
    if (p.spec.momentum == 0) {
      out[0] = w - step;
    } else {
      out[1] = old(0) * momentum - step;
      out[0] = w + (p.spec.nesterov ? out[1] * momentum - step : out[1]);
    }
  } else if (p.spec.kind == OptimizerSpec::rmsprop) {
    const Rounded rho = constant(p.spec.rho), rest = constant(1 - p.spec.rho);
    out[1] = rho * old(0) + rest * (g * g);
    const int last = optimizer_slots(p.spec) - 1;
    Rounded square = out[1];
    if (p.spec.centered) {
      out[1 + last] = rho * old(last) + rest * g;
      square = square - out[1 + last] * out[1 + last];
    }
    const Rounded increment = rate * g / root(square + constant(p.spec.epsilon));
    if (p.spec.momentum > 0) out[2] = constant(p.spec.momentum) * old(1) + increment;
    out[0] = w - (p.spec.momentum > 0 ? out[2] : increment);
  } else {
    // f32 powers of beta are part of the definition (optimizer.hpp): their rounding is not this step's error.
    const auto power = [&](double beta) { return static_cast<double>(static_cast<float>(std::pow(static_cast<double>(static_cast<float>(beta)), p.t))); };
    const Rounded alpha = rate * root(Rounded{1, 0} - Rounded{power(p.spec.beta2), 0}) / (Rounded{1, 0} - Rounded{power(p.spec.beta1), 0});
    out[1] = old(0) + (g - old(0)) * constant(1 - p.spec.beta1);
    out[2] = old(1) + (g * g - old(1)) * constant(1 - p.spec.beta2);
    Rounded v = out[2];
    if (p.spec.amsgrad) v = out[3] = larger(old(2), v);
    out[0] = w - out[1] * alpha / (root(v) + constant(p.spec.epsilon));
  }
}

class OptimizerOperation final : public SimpleOperation {
 public:
  OptimizerOperation(std::string op, OptimizerSpec::Kind kind) : SimpleOperation(std::move(op)), kind_(kind) {
    add_provider(std::make_unique<SimpleProvider>(
        "fixed_order", std::nullopt,
        std::vector<SimpleAlgorithm>{{"elementwise", claim_by_construction(), kind == OptimizerSpec::sgd,
                                      [kind](const Problem& problem, Device& device) -> Result<SimplePlanParts> {
                                        auto p = parse(kind, problem);
                                        if (!p) return tl::unexpected(p.error());
                                        return parts_on(p->request(), device);
                                      }}}));
  }
  bool has_exact_fill() const override { return false; }
  /// Squares and their averages are not negative, and an average of gradients is not larger than the root of the squares':
  /// the root's argument stays above 0.
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    if (kind_ != OptimizerSpec::sgd && input.role == "velocity") return FillSpec{FillSpec::Kind::constant, inputs.seed, stream, 0.5, 1, 1.0};
    if (input.role == "velocity_hat") return FillSpec{FillSpec::Kind::constant, inputs.seed, stream, 0.5, 1, 1.0};
    if (input.role == "average_gradient") return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 0.1, 1, 1.0};
    if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 8, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, input.role == "gradient" || input.role == "weights" ? 1.0 : 0.01, 1, 1.0};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse(kind_, problem);
    if (!p) return tl::unexpected(p.error());
    auto parts = cpu_parts(p->request());
    const auto slots = static_cast<double>(optimizer_slots(p->spec)), n = static_cast<double>(p->elements);
    const double operations = p->spec.kind == OptimizerSpec::sgd ? 4 : p->spec.kind == OptimizerSpec::rmsprop ? 9 : 13;
    SimpleCase c{std::move(parts.inputs), std::move(parts.outputs), {operations * n, (3 + 2 * slots) * 4 * n}, {}};
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) {
      const std::size_t slots = in.size() - 2;
      std::vector<Expected> expected(1 + slots);
      for (std::size_t i = 0; i < in[0].size(); ++i) {
        std::array<double, most_slots> old{};
        for (std::size_t s = 0; s < slots; ++s) old[s] = in[2 + s][i];
        std::array<Rounded, 1 + most_slots> found{};
        expect(p, in[0][i], in[1][i], old, found);
        for (std::size_t o = 0; o < expected.size(); ++o) expected[o].value.push_back(found[o].value), expected[o].bound.push_back(found[o].error);
      }
      return expected;
    };
    return c;
  }

 private:
  OptimizerSpec::Kind kind_;
};

}  // namespace
}  // namespace optimizer

std::vector<std::unique_ptr<Operation>> make_optimizer_operations() {
  std::vector<std::unique_ptr<Operation>> operations;
  operations.push_back(std::make_unique<optimizer::OptimizerOperation>("sgd_momentum", OptimizerSpec::sgd));
  operations.push_back(std::make_unique<optimizer::OptimizerOperation>("rmsprop", OptimizerSpec::rmsprop));
  operations.push_back(std::make_unique<optimizer::OptimizerOperation>("adam", OptimizerSpec::adam));
  return operations;
}

}  // namespace detbench
