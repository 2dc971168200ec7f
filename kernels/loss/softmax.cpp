#include "kernels/loss/softmax.hpp"

#include "kernels/loss/parts.hpp"
#include "kernels/loss/rows.hpp"

namespace detbench {
namespace {

/// Sum of term(j) in the order of rows.hpp.
template <class Term>
float row_sum(std::int64_t classes, Term&& term) {
  float s[rows::lanes] = {};
  for (std::int64_t j = 0; j < classes; ++j) s[j % rows::lanes] += term(j);
  return rows::join_lanes(s);
}

void forward_row(const float* x, float* y, std::int64_t classes, bool log) {
  float top = x[0];
  for (std::int64_t j = 1; j < classes; ++j) top = x[j] > top ? x[j] : top;
  for (std::int64_t j = 0; j < classes; ++j) y[j] = portable::exp(x[j] - top);
  const float sum = row_sum(classes, [&](std::int64_t j) { return y[j]; });
  const float log_sum = log ? portable::log(sum) : 0.0f;
  for (std::int64_t j = 0; j < classes; ++j) y[j] = log ? (x[j] - top) - log_sum : y[j] / sum;
}

void backward_row(const float* y, const float* dy, float* dx, std::int64_t classes, bool log) {
  const float sum = row_sum(classes, [&](std::int64_t j) { return log ? dy[j] : y[j] * dy[j]; });
  for (std::int64_t j = 0; j < classes; ++j) dx[j] = log ? rows::log_softmax_gradient(y[j], dy[j], sum) : rows::softmax_gradient(y[j], dy[j], sum);
}

/// Error bounds for f32 where exp is the hardware's: wrong by units in the last place that grow with its argument, which is x
/// itself where the maximum is not subtracted first. Results below the smallest normal number may be flushed.
constexpr double u = unit_roundoff_f32, smallest = 0x1p-126;
double exp_error(double x) { return u * (4 + 2 * std::abs(x)); }
double sum_error(std::int64_t terms) { return u * (4 + 2 * std::sqrt(static_cast<double>(terms))); }

void expect_forward(const double* x, std::int64_t classes, bool log, Expected& e) {
  const double top = *std::max_element(x, x + classes);
  double sum = 0, error = 0;
  const auto error_of = [&](std::int64_t j) { return exp_error(std::max(std::abs(x[j]), std::abs(x[j] - top))); };
  for (std::int64_t j = 0; j < classes; ++j) sum += std::exp(x[j] - top), error += std::exp(x[j] - top) * error_of(j);
  error = error / sum + sum_error(classes);
  for (std::int64_t j = 0; j < classes; ++j) {
    const double value = std::exp(x[j] - top) / sum, logarithm = (x[j] - top) - std::log(sum);
    e.value.push_back(log ? logarithm : value);
    e.bound.push_back(log ? error + 4 * u * (1 + std::abs(x[j] - top) + std::log(sum)) : value * (error_of(j) + error + 2 * u) + smallest);
  }
}

void expect_backward(const double* y, const double* dy, std::int64_t classes, bool log, Expected& e) {
  double sum = 0, magnitude = 0;
  for (std::int64_t j = 0; j < classes; ++j) {
    const double term = log ? dy[j] : y[j] * dy[j];
    sum += term, magnitude += std::abs(term);
  }
  const double error = (sum_error(classes) + u) * magnitude;
  for (std::int64_t j = 0; j < classes; ++j) {
    const double factor = log ? std::exp(y[j]) : y[j];
    e.value.push_back(log ? dy[j] - factor * sum : (dy[j] - sum) * factor);
    const double parts = std::abs(log ? dy[j] : dy[j] * factor) + std::abs(factor * sum);
    e.bound.push_back(std::abs(factor) * error + 3 * u * parts + (log ? exp_error(y[j]) * std::abs(factor * sum) : 0.0) + smallest);
  }
}

class SoftmaxOperation final : public SimpleOperation {
 public:
  SoftmaxOperation(std::string op, bool backward, bool log) : SimpleOperation(std::move(op)), backward_(backward), log_(log) {
    const rows::Specs specs = [this](const Problem& problem) { return specs_of(problem); };
    add_provider(std::make_unique<FixedOrderProvider>(
        "lanes", [this](const Problem& problem) { return cpu_parts(problem); }, true,
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem);
          if (!parts) return parts;
          return rows::cuda_softmax_parts(std::move(*parts), backward_, log_);
        }));
    add_provider(rows::make_onednn_softmax_provider(backward, log, specs));
    add_provider(rows::make_cudnn_legacy_softmax_provider(log, specs));
  }
  bool has_exact_fill() const override { return false; }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    // Wide logits stay below 48, so that forms which do not subtract the maximum keep finite.
    double scale = inputs.fill == InputFill::wide ? 8.0 : 2.0;
    // The forward's answer: any numbers will do, because the gradient is a polynomial in them; of a softmax's size, though,
    // and of a log-softmax's.
    if (input.role == "dst") scale = log_ ? 1.0 : 2.0 / static_cast<double>(input.shape[1]);
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, scale, 1, 1.0};
  }

  Result<std::int64_t> batch_size(const Problem& problem) const override {
    auto c = describe(problem);
    if (!c) return tl::unexpected(c.error());
    return c->inputs[0].shape[0];
  }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    auto c = describe(problem);
    if (!c) return tl::unexpected(c.error());
    const BatchSlice slice{position, c->inputs[0].shape[0]};
    return BatchVariant{softmax_problem(problem.op, batch, c->inputs[0].shape[1]), std::vector<std::optional<BatchSlice>>(c->inputs.size(), slice), {slice}};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
    if (problem.layout != "plain") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; plain does");
    auto f = read_shape(problem.shape, {{"mb", 1, 1 << 24}, {"k", 1, 1 << 24}});
    if (!f) return tl::unexpected(f.error());
    const Shape matrix{(*f)[0], (*f)[1]};
    const double elements = static_cast<double>(matrix[0]) * static_cast<double>(matrix[1]);
    if (elements > 0x1p36) return invalid_input("shape '" + problem.shape + "' has over 2^36 elements; choose a smaller one");
    const auto tensor = [&](const char* role) { return TensorSpec{role, DataType::f32, matrix, canonical_layout(matrix)}; };
    SimpleCase c;
    c.inputs = backward_ ? std::vector{tensor("dst"), tensor("diff_dst")} : std::vector{tensor("src")};
    c.outputs = {tensor(backward_ ? "diff_src" : "dst")};
    c.cost = {4 * elements, 4 * elements * (backward_ ? 3 : 2)};
    c.evaluate = [backward = backward_, log = log_, classes = matrix[1]](const std::vector<std::vector<double>>& in) {
      Expected e;
      for (std::size_t row = 0; row < in[0].size(); row += static_cast<std::size_t>(classes)) {
        if (backward)
          expect_backward(in[0].data() + row, in[1].data() + row, classes, log, e);
        else
          expect_forward(in[0].data() + row, classes, log, e);
      }
      return std::vector<Expected>{std::move(e)};
    };
    return c;
  }

 private:
  Result<SimplePlanParts> specs_of(const Problem& problem) const {
    auto c = describe(problem);
    if (!c) return tl::unexpected(c.error());
    SimplePlanParts parts;
    parts.inputs = c->inputs, parts.outputs = c->outputs;
    parts.alignment_bytes = sizeof(float);  // element by element
    return parts;
  }
  Result<SimplePlanParts> cpu_parts(const Problem& problem) const {
    auto parts = specs_of(problem);
    if (!parts) return parts;
    const std::int64_t batch = parts->inputs[0].shape[0], classes = parts->inputs[0].shape[1];
    parts->run = [batch, classes, backward = backward_, log = log_](std::span<const Tensor> in, std::span<const Tensor> out, Region) {
      const auto at = [&](std::size_t i) { return static_cast<const float*>(in[i].region.data); };
      auto* target = static_cast<float*>(out[0].region.data);
#pragma omp parallel for schedule(static)
      for (std::int64_t n = 0; n < batch; ++n) {
        if (backward)
          backward_row(at(0) + n * classes, at(1) + n * classes, target + n * classes, classes, log);
        else
          forward_row(at(0) + n * classes, target + n * classes, classes, log);
      }
    };
    return parts;
  }
  bool backward_, log_;
};

}  // namespace

std::vector<std::unique_ptr<Operation>> make_softmax_operations() {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const bool log : {false, true})
    for (const bool backward : {false, true})
      operations.push_back(std::make_unique<SoftmaxOperation>(std::string(log ? "log_softmax_" : "softmax_") + (backward ? "bwd" : "fwd"), backward, log));
  return operations;
}

Problem softmax_problem(std::string op, std::int64_t batch, std::int64_t classes) {
  return {std::move(op), format_shape({{"mb", std::to_string(batch)}, {"k", std::to_string(classes)}}), "f32_f32_strict", "plain"};
}

}  // namespace detbench
