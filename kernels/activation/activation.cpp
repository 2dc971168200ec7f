#include "kernels/activation/activation.hpp"

#include "kernels/activation/parts.hpp"
#include "kernels/simple_operation.hpp"
#include "kernels/tensor/digest_host.hpp"

namespace detbench {
namespace {

using activation::Kind;

/// Elements first .. last - 1. One loop, compiled per instruction set: there is no order to fix, and nothing is contracted, so
/// every set gives the same bits.
[[gnu::always_inline]] inline void run_span(Kind kind, const activation::Arrays& arrays, std::int64_t first, std::int64_t last) {
  activation::with_functor(kind, arrays, [=](const auto& f) __attribute__((always_inline)) {
    for (std::int64_t i = first; i < last; ++i) f(i);
  });
}
void span_baseline(Kind kind, const activation::Arrays& arrays, std::int64_t first, std::int64_t last) { run_span(kind, arrays, first, last); }
#if defined(__x86_64__)
[[gnu::target("avx2"), gnu::flatten]] void span_avx2(Kind kind, const activation::Arrays& arrays, std::int64_t first, std::int64_t last) {
  run_span(kind, arrays, first, last);
}
[[gnu::target("avx512f,avx512dq,prefer-vector-width=512"), gnu::flatten]] void span_avx512(Kind kind, const activation::Arrays& arrays, std::int64_t first,
                                                                             std::int64_t last) {
  run_span(kind, arrays, first, last);
}
#endif

using Span = void (*)(Kind, const activation::Arrays&, std::int64_t, std::int64_t);
Span best_span() {
#if defined(__x86_64__)
  if (digest_instruction_level() == 2 && __builtin_cpu_supports("avx512dq")) return span_avx512;
  if (digest_instruction_level() >= 1) return span_avx2;
#endif
  return span_baseline;
}

void run(Kind kind, std::int64_t n, const activation::Arrays& arrays) {
  constexpr std::int64_t chunk = 4096;
  const Span span = best_span();
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < n; first += chunk) span(kind, arrays, first, std::min(n, first + chunk));
}

class ActivationOperation final : public SimpleOperation {
 public:
  ActivationOperation(std::string op, Kind kind, std::vector<std::string> inputs, std::string output, const AlgorithmSearch& search)
      : SimpleOperation(std::move(op)), kind_(kind), inputs_(std::move(inputs)), output_(std::move(output)) {
    set_batch_field("n");
    const activation::Specs specs = [this](const Problem& problem) { return specs_of(problem); };
    add_provider(std::make_unique<FixedOrderProvider>(
        "elementwise",
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem);
          if (!parts) return parts;
          parts->run = [kind = kind_, n = parts->inputs[0].shape[0]](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
            run(kind, n, {static_cast<const float*>(in[0].region.data), in.size() > 1 ? static_cast<const float*>(in[1].region.data) : nullptr,
                          static_cast<float*>(out[0].region.data)});
          };
          return parts;
        },
        true,
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem);
          if (!parts) return parts;
          return activation::cuda_elementwise_parts(kind_, std::move(*parts));
        }));
    if (kind == Kind::swish_forward || kind == Kind::swish_backward) add_provider(activation::make_onednn_swish_provider(kind, specs));
    if (kind != Kind::sum) add_provider(activation::make_cudnn_legacy_activation_provider(kind, specs));
    add_provider(activation::make_cudnn_graph_pointwise_provider(kind, specs, search));
  }
  bool has_exact_fill() const override { return !is_swish(); }
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
      if (kind == Kind::relu6_backward) e.alternative.resize(in[0].size());
      for (std::size_t i = 0; i < in[0].size(); ++i) evaluate(kind, in[0][i], in.size() > 1 ? in[1][i] : 0.0, e, i);
      return std::vector<Expected>{std::move(e)};
    };
    return c;
  }

 private:
  bool is_swish() const { return kind_ == Kind::swish_forward || kind_ == Kind::swish_backward; }
  Result<SimplePlanParts> specs_of(const Problem& problem) const {
    auto c = describe(problem);
    if (!c) return tl::unexpected(c.error());
    SimplePlanParts parts;
    parts.inputs = c->inputs, parts.outputs = c->outputs;
    parts.alignment_bytes = sizeof(float);  // element by element
    return parts;
  }

  static void evaluate(Kind kind, double a, double b, Expected& e, std::size_t i) {
    const double sigmoid = 1 / (1 + std::exp(-a));
    // Swish in f32: exp is wrong by units in the last place that grow with its argument where it is the hardware's, and results
    // below the smallest normal number may be flushed.
    const double swish_error = unit_roundoff_f32 * (8 + 2 * std::abs(a)), smallest = 0x1p-126;
    switch (kind) {
      case Kind::relu6_forward: e.value[i] = std::clamp(a, 0.0, 6.0); break;
      case Kind::relu6_backward:
        e.value[i] = a > 0 && a < 6 ? b : 0.0;
        e.alternative[i] = a == 0 || a == 6 ? b : e.value[i];  // on a kink a library may take the other side
        break;
      case Kind::swish_forward:
        e.value[i] = a * sigmoid;
        e.bound[i] = swish_error * std::abs(e.value[i]) + smallest;
        break;
      case Kind::swish_backward: {
        const double rest = 1 / (1 + std::exp(a));  // 1 - sigmoid, without its cancellation
        e.value[i] = b * sigmoid * (1 + a * rest);
        e.bound[i] = swish_error * std::abs(b) * sigmoid * (1 + std::abs(a) * rest) + smallest * (1 + std::abs(b));
        break;
      }
      case Kind::sum:
        e.value[i] = a + b;
        e.bound[i] = unit_roundoff_f32 * (1 + 0x1p-20) * std::abs(e.value[i]);  // one rounding, the double's own beside it
        break;
    }
  }

  Kind kind_;
  std::vector<std::string> inputs_;
  std::string output_;
};

}  // namespace

std::vector<std::unique_ptr<Operation>> make_activation_operations(const AlgorithmSearch& search) {
  struct Row {
    const char* op;
    Kind kind;
    std::vector<std::string> inputs;
    const char* output;
  };
  const Row rows[] = {{"relu6_fwd", Kind::relu6_forward, {"src"}, "dst"},
                      {"relu6_bwd", Kind::relu6_backward, {"src", "diff_dst"}, "diff_src"},
                      {"add", Kind::sum, {"a", "b"}, "dst"},
                      {"swish_fwd", Kind::swish_forward, {"src"}, "dst"},
                      {"swish_bwd", Kind::swish_backward, {"src", "diff_dst"}, "diff_src"}};
  std::vector<std::unique_ptr<Operation>> operations;
  for (const Row& row : rows) operations.push_back(std::make_unique<ActivationOperation>(row.op, row.kind, row.inputs, row.output, search));
  return operations;
}

Problem vector_problem(std::string op, std::int64_t elements) {
  return {std::move(op), "n" + std::to_string(elements), "f32_f32_strict", "vector"};
}

}  // namespace detbench
