#include "kernels/dropout/dropout.hpp"

#include <charconv>

#include "kernels/dropout/parts.hpp"
#include "kernels/tensor/philox_block.hpp"

namespace detbench {
namespace dropout {

TensorSpec DropoutProblem::input() const { return {backward ? "diff_dst" : "src", DataType::f32, {elements}, canonical_layout({elements})}; }
TensorSpec DropoutProblem::output() const { return {backward ? "diff_src" : "dst", DataType::f32, {elements}, canonical_layout({elements})}; }
SimplePlanParts DropoutProblem::parts() const {
  SimplePlanParts parts;
  parts.inputs = {input()}, parts.outputs = {output()};
  parts.alignment_bytes = sizeof(float);  // element by element
  return parts;
}

Result<DropoutProblem> parse_dropout_problem(const Problem& problem) {
  if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
  if (problem.layout != "vector") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; vector does");
  auto fields = parse_shape(problem.shape);
  if (!fields) return tl::unexpected(fields.error());
  const std::string shape = "shape '" + problem.shape.substr(0, 200) + "'";
  if (fields->size() != 3 || (*fields)[0].first != "n" || (*fields)[1].first != "p" || (*fields)[2].first != "seed")
    return invalid_input(shape + " should read nN_pP_seedN, like n1769472_p0.2_seed7");
  const auto read = [&](std::size_t i, auto& value) {
    const std::string& text = (*fields)[i].second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
  };
  DropoutProblem p;
  if (!read(0, p.elements) || p.elements < 1 || p.elements > std::int64_t{1} << 36) return invalid_input("n in " + shape + " is a whole number from 1 to 2^36");
  if (!read(1, p.p) || !(p.p >= 0 && p.p < 1)) return invalid_input("p in " + shape + " is a probability from 0 to below 1, like p0.2");
  if (!read(2, p.seed)) return invalid_input("seed in " + shape + " is a whole number below 2^64");
  p.backward = problem.op == "dropout_bwd";
  return p;
}

namespace {

/// A block of Philox calls covers this many elements.
constexpr std::int64_t block_elements = 4 * philox_block_size;

void run(const Mask& mask, std::int64_t n, const float* x, float* y) {
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < (n + block_elements - 1) / block_elements; ++block) {
    PhiloxBlock words;
    draw_philox_block(static_cast<std::uint64_t>(block) * philox_block_size, 0, mask.key, words);
    const std::int64_t start = block * block_elements, count = std::min(block_elements, n - start);
    for (std::int64_t i = 0; i < count; ++i) y[start + i] = mask.apply(words.word[i % 4][i / 4], x[start + i]);
  }
}

/// Ours against its own mask; a library's answer against what every mask has to satisfy.
class DropoutReference final : public Reference {
 public:
  DropoutReference(const DropoutProblem& problem, std::vector<float> input) : problem_(problem), input_(std::move(input)) {}

  Result<Verification> check(const Algorithm& algorithm, std::span<const Tensor> outputs) const override {
    const bool ours = algorithm.provider == "fixed_order";
    const Mask mask = Mask::of(problem_.p, problem_.seed);
    Expected e;
    for (std::size_t i = 0; i < input_.size(); ++i) {
      const double kept = static_cast<double>(input_[i]) / (1 - problem_.p);
      const bool dropped = ours && philox4x32(i / 4, 0, 0, mask.key).w[i % 4] < mask.threshold;
      e.value.push_back(dropped ? 0.0 : kept);
      e.bound.push_back(dropped ? 0.0 : 4 * unit_roundoff_f32 * std::abs(kept));  // the scale's rounding and the product's
      if (!ours) e.alternative.push_back(problem_.p > 0 ? 0.0 : kept);
    }
    auto found = compare_with_expected({e}, outputs);
    if (!found || !found->passed || ours) return found;
    check_share(outputs[0], *found);
    return found;
  }

 private:
  void check_share(const Tensor& output, Verification& found) const {
    std::vector<std::byte> bytes;
    gather_canonical(output, bytes);
    const float* actual = reinterpret_cast<const float*>(bytes.data());
    double tried = 0, zeros = 0;
    for (std::size_t i = 0; i < input_.size(); ++i)
      if (input_[i] != 0) tried += 1, zeros += actual[i] == 0 ? 1 : 0;
    const double expected = tried * problem_.p, deviation = std::sqrt(tried * problem_.p * (1 - problem_.p));
    if (std::abs(zeros - expected) <= 6 * deviation + 1) return;
    found.passed = false;
    found.reason = std::to_string(zeros) + " of " + std::to_string(tried) + " elements were dropped, over six standard deviations from " + std::to_string(expected);
  }
  DropoutProblem problem_;
  std::vector<float> input_;
};

class DropoutOperation final : public SimpleOperation {
 public:
  explicit DropoutOperation(std::string op) : SimpleOperation(std::move(op)) {
    add_provider(std::make_unique<FixedOrderProvider>("philox", cpu_parts, false, [](const Problem& problem) -> Result<SimplePlanParts> {
      auto p = parse_dropout_problem(problem);
      if (!p) return tl::unexpected(p.error());
      return cuda_dropout_parts(*p);
    }));
    add_provider(make_cudnn_legacy_dropout_provider());
  }
  bool has_exact_fill() const override { return false; }  // the scale rounds
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 8, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 1.0, 1, 1.0};
  }
  Result<std::unique_ptr<Reference>> reference(const Problem& problem, const Inputs& inputs) const override {
    auto p = parse_dropout_problem(problem);
    if (!p) return tl::unexpected(p.error());
    auto filling = fill(problem, p->input(), inputs);
    if (!filling) return tl::unexpected(filling.error());
    std::vector<float> values(static_cast<std::size_t>(p->elements));
    if (auto s = fill_on_host({p->input(), {values.data(), p->input().bytes()}}, *filling); !s) return tl::unexpected(s.error());
    return std::make_unique<DropoutReference>(*p, std::move(values));
  }

 protected:
  /// The answer of ours; reference() holds libraries to less.
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse_dropout_problem(problem);
    if (!p) return tl::unexpected(p.error());
    SimpleCase c;
    c.inputs = {p->input()}, c.outputs = {p->output()};
    c.cost = {static_cast<double>(p->elements), 8.0 * static_cast<double>(p->elements)};
    return c;
  }

 private:
  static Result<SimplePlanParts> cpu_parts(const Problem& problem) {
    auto p = parse_dropout_problem(problem);
    if (!p) return tl::unexpected(p.error());
    SimplePlanParts parts = p->parts();
    parts.run = [mask = Mask::of(p->p, p->seed), n = p->elements](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
      run(mask, n, static_cast<const float*>(in[0].region.data), static_cast<float*>(out[0].region.data));
    };
    return parts;
  }
};

}  // namespace
}  // namespace dropout

std::vector<std::unique_ptr<Operation>> make_dropout_operations() {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const char* op : {"dropout_fwd", "dropout_bwd"}) operations.push_back(std::make_unique<dropout::DropoutOperation>(op));
  return operations;
}

Problem dropout_problem(bool backward, std::int64_t elements, const std::string& p, std::uint64_t seed) {
  return {backward ? "dropout_bwd" : "dropout_fwd", format_shape({{"n", std::to_string(elements)}, {"p", p}, {"seed", std::to_string(seed)}}),
          "f32_f32_strict", "vector"};
}

}  // namespace detbench
