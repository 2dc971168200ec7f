#include "kernels/activation/activation.hpp"

#include "kernels/activation/parts.hpp"
#include "kernels/reduction/channel_chunks.hpp"
#include "kernels/tensor/digest_host.hpp"

namespace detbench {
namespace {

using activation::Arrays;
using activation::Kind;

/// Elements first .. last - 1. One loop, compiled per instruction set: there is no order to fix, and nothing is contracted, so
/// every set gives the same bits.
template <class Stored>
[[gnu::always_inline]] inline void run_span(Kind kind, const Arrays<Stored>& arrays, std::int64_t first, std::int64_t last) {
  activation::with_functor(kind, arrays, [=](const auto& f) __attribute__((always_inline)) {
    for (std::int64_t i = first; i < last; ++i) f(i);
  });
}
template <class Stored>
void span_baseline(Kind kind, const Arrays<Stored>& arrays, std::int64_t first, std::int64_t last) {
  run_span(kind, arrays, first, last);
}
#if defined(__x86_64__)
template <class Stored>
[[gnu::target("avx2"), gnu::flatten]] void span_avx2(Kind kind, const Arrays<Stored>& arrays, std::int64_t first, std::int64_t last) {
  run_span(kind, arrays, first, last);
}
template <class Stored>
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512"), gnu::flatten]] void span_avx512(Kind kind, const Arrays<Stored>& arrays,
                                                                                                       std::int64_t first, std::int64_t last) {
  run_span(kind, arrays, first, last);
}
#endif

template <class Stored>
using Span = void (*)(Kind, const Arrays<Stored>&, std::int64_t, std::int64_t);
template <class Stored>
Span<Stored> span_for(activation::InstructionSet set) {
#if defined(__x86_64__)
  if (set == activation::InstructionSet::avx512)
    return digest_instruction_level() == 2 && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
               ? span_avx512<Stored> : nullptr;
  if (set == activation::InstructionSet::avx2) return digest_instruction_level() >= 1 ? span_avx2<Stored> : nullptr;
#else
  if (set != activation::InstructionSet::baseline) return nullptr;
#endif
  return span_baseline<Stored>;
}

template <class Stored>
void run(Kind kind, std::int64_t n, std::span<const Tensor> in, std::span<const Tensor> out, Span<Stored> span) {
  using Word = typename Stored::Word;
  const Arrays<Stored> arrays{static_cast<const Word*>(in[0].region.data), in.size() > 1 ? static_cast<const Word*>(in[1].region.data) : nullptr,
                              static_cast<Word*>(out[0].region.data)};
  constexpr std::int64_t chunk = 4096;
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < n; first += chunk) span(kind, arrays, first, std::min(n, first + chunk));
}

Result<SimplePlanParts> with_run(Kind kind, SimplePlanParts parts, activation::InstructionSet set) {
  const auto as = [&]<class Stored>(Stored) -> Status {
    const auto span = span_for<Stored>(set);
    if (span == nullptr) return unsupported("this machine lacks the instruction set");
    parts.run = [kind, n = parts.inputs[0].shape[0], span](std::span<const Tensor> in, std::span<const Tensor> out, Region) { run<Stored>(kind, n, in, out, span); };
    return {};
  };
  const DataType type = parts.inputs[0].type;
  const auto s = type == DataType::f16 ? as(reduction::StoredF16{}) : type == DataType::bf16 ? as(reduction::StoredBf16{}) : as(reduction::StoredF32{});
  if (!s) return tl::unexpected(s.error());
  return parts;
}

activation::InstructionSet best_set() {
  using enum activation::InstructionSet;
  return span_for<reduction::StoredF32>(avx512) != nullptr ? avx512 : span_for<reduction::StoredF32>(avx2) != nullptr ? avx2 : baseline;
}

struct Row {
  const char* op;
  Kind kind;
};
constexpr Row rows[] = {{"relu_fwd", {Activation::relu, false}},       {"relu_bwd", {Activation::relu, true}},   {"relu6_fwd", {Activation::relu6, false}},
                        {"relu6_bwd", {Activation::relu6, true}},      {"swish_fwd", {Activation::swish, false}}, {"swish_bwd", {Activation::swish, true}},
                        {"sigmoid_fwd", {Activation::sigmoid, false}}, {"sigmoid_bwd", {Activation::sigmoid, true}}, {"add", {Activation::none, false}}};

Result<SimplePlanParts> specs_of(const Problem& problem, Kind kind) {
  const auto storage = parse_storage(problem);
  if (!storage) return tl::unexpected(storage.error());
  if (problem.layout != "vector") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; vector does");
  auto f = read_shape(problem.shape, {{"n", 1, std::int64_t{1} << 36}});
  if (!f) return tl::unexpected(f.error());
  const Shape shape{(*f)[0]};
  const auto spec = [&](const char* role) { return TensorSpec{role, *storage, shape, canonical_layout(shape)}; };
  SimplePlanParts parts;
  parts.inputs = {spec(kind.is_sum() ? "a" : "src")};
  if (kind.has_two_inputs()) parts.inputs.push_back(spec(kind.is_sum() ? "b" : "diff_dst"));
  parts.outputs = {spec(kind.backward ? "diff_src" : "dst")};
  parts.alignment_bytes = size_of(*storage);  // element by element
  return parts;
}

class ActivationOperation final : public StoredOperation {
 public:
  ActivationOperation(const Row& row, const AlgorithmSearch& search) : StoredOperation(row.op), kind_(row.kind) {
    set_batch_field("n");
    const activation::Specs specs = [kind = kind_](const Problem& problem) { return specs_of(problem, kind); };
    add_provider(std::make_unique<FixedOrderProvider>(
        "elementwise",
        [kind = kind_](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem, kind);
          if (!parts) return parts;
          return with_run(kind, std::move(*parts), best_set());
        },
        true,
        [kind = kind_](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem, kind);
          if (!parts) return parts;
          return activation::cuda_elementwise_parts(kind, std::move(*parts));
        }));
    const Activation a = kind_.activation;
    if (a == Activation::relu || a == Activation::swish || a == Activation::sigmoid) add_provider(activation::make_onednn_eltwise_provider(kind_, specs));
    if (!kind_.is_sum()) add_provider(activation::make_cudnn_legacy_activation_provider(kind_, specs));
    add_provider(activation::make_cudnn_graph_pointwise_provider(kind_, specs, search));
  }
  bool has_exact_fill() const override { return kind_.is_exact(); }
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
    auto parts = specs_of(problem, kind_);
    if (!parts) return tl::unexpected(parts.error());
    SimpleCase c;
    c.inputs = std::move(parts->inputs), c.outputs = std::move(parts->outputs);
    const auto n = static_cast<double>(c.inputs[0].shape[0]);
    c.cost = {n, static_cast<double>(c.inputs[0].bytes()) * (static_cast<double>(c.inputs.size()) + 1)};
    c.evaluate = [kind = kind_](const std::vector<std::vector<double>>& in) {
      Expected e{std::vector<double>(in[0].size()), std::vector<double>(in[0].size(), 0.0), {}};
      if (kind.backward && kind.is_exact()) e.alternative.resize(in[0].size());
      for (std::size_t i = 0; i < in[0].size(); ++i) evaluate(kind, in[0][i], in.size() > 1 ? in[1][i] : 0.0, e, i);
      return std::vector<Expected>{std::move(e)};
    };
    return c;
  }

 private:
  static void evaluate(Kind kind, double a, double b, Expected& e, std::size_t i) {
    const double sigmoid = 1 / (1 + std::exp(-a)), rest = 1 / (1 + std::exp(a));  // rest: 1 - sigmoid, without its cancellation
    // Sigmoid and swish in f32: exp is wrong by units in the last place that grow with its argument where it is the
    // hardware's, and results below the smallest normal number may be flushed.
    const double error = unit_roundoff_f32 * (8 + 2 * std::abs(a)), smallest = 0x1p-126;
    switch (kind.activation) {
      case Activation::relu:
      case Activation::relu6: {
        const bool clips = kind.activation == Activation::relu6;
        if (!kind.backward) {
          e.value[i] = clips ? std::clamp(a, 0.0, 6.0) : std::max(a, 0.0);
          break;
        }
        e.value[i] = a > 0 && (!clips || a < 6) ? b : 0.0;
        e.alternative[i] = a == 0 || (clips && a == 6) ? b : e.value[i];  // on a kink a library may take the other side
        break;
      }
      case Activation::swish:
        if (!kind.backward) {
          e.value[i] = a * sigmoid;
          e.bound[i] = error * std::abs(e.value[i]) + smallest;
          break;
        }
        e.value[i] = b * sigmoid * (1 + a * rest);
        e.bound[i] = error * std::abs(b) * sigmoid * (1 + std::abs(a) * rest) + smallest * (1 + std::abs(b));
        break;
      case Activation::sigmoid:
        if (!kind.backward) {
          e.value[i] = sigmoid;
          e.bound[i] = error * sigmoid + smallest;
          break;
        }
        e.value[i] = b * sigmoid * rest;
        // A library may subtract the rounded sigmoid from 1: two roundings relative to 1, not to what is left.
        e.bound[i] = std::abs(b) * (error * sigmoid * rest + 2 * unit_roundoff_f32 * sigmoid) + smallest * (1 + std::abs(b));
        break;
      case Activation::none:
        e.value[i] = a + b;
        e.bound[i] = unit_roundoff_f32 * (1 + 0x1p-20) * std::abs(e.value[i]);  // one rounding, the double's own beside it
        break;
    }
  }

  Kind kind_;
};

}  // namespace

Result<SimplePlanParts> activation::fixed_order_parts(const Problem& problem, InstructionSet set) {
  for (const Row& row : rows)
    if (problem.op == row.op) {
      auto parts = specs_of(problem, row.kind);
      if (!parts) return parts;
      return with_run(row.kind, std::move(*parts), set);
    }
  return invalid_input("'" + problem.op.substr(0, 60) + "' is no operation of one element at a time");
}

std::vector<std::unique_ptr<Operation>> make_activation_operations(const AlgorithmSearch& search) {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const Row& row : rows) operations.push_back(std::make_unique<ActivationOperation>(row, search));
  return operations;
}

Problem vector_problem(std::string op, std::int64_t elements, std::string types) {
  return {std::move(op), "n" + std::to_string(elements), std::move(types), "vector"};
}

}  // namespace detbench
