#include "kernels/loss/loss.hpp"

#include "kernels/loss/parts.hpp"
#include "kernels/loss/rows.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

/// One row: element j adds to lane j % 8, the lanes meet in a fixed tree. Returns the row's loss.
float row_loss(const float* x, std::int64_t classes, std::int32_t label, float batch, float* diff) {
  float top = x[0];
  for (std::int64_t j = 1; j < classes; ++j) top = x[j] > top ? x[j] : top;
  float s[rows::lanes] = {};
  for (std::int64_t j = 0; j < classes; ++j) diff[j] = portable::exp(x[j] - top);
  for (std::int64_t j = 0; j < classes; ++j) s[j % rows::lanes] += diff[j];
  const float sum = rows::join_lanes(s);
  for (std::int64_t j = 0; j < classes; ++j) diff[j] = rows::cross_entropy_gradient(diff[j], sum, j == label, batch);
  return label < 0 || label >= classes ? rows::no_loss() : rows::cross_entropy_loss(sum, x[label], top);
}

struct Parsed {
  std::int64_t batch, classes;
};

class SoftmaxCrossEntropyOperation final : public SimpleOperation {
 public:
  SoftmaxCrossEntropyOperation() : SimpleOperation("softmax_cross_entropy") {
    add_provider(std::make_unique<FixedOrderProvider>(
        "lanes", [this](const Problem& problem) { return cpu_parts(problem); }, true,
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem);
          if (!parts) return parts;
          return rows::cuda_cross_entropy_parts(std::move(*parts), false);
        }));
    add_provider(std::make_unique<SimpleProvider>(
        "cuda_atomic", DeviceKind::cuda,
        std::vector<SimpleAlgorithm>{{"row_then_atomic", {}, true, [this](const Problem& problem, Device&) -> Result<SimplePlanParts> {
                                        auto parts = specs_of(problem);
                                        if (!parts) return parts;
                                        return rows::cuda_cross_entropy_parts(std::move(*parts), true);
                                      }}}));
  }
  bool has_exact_fill() const override { return false; }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    auto p = parse(problem);
    if (!p) return tl::unexpected(p.error());
    const std::string stream = problem.op + "/" + input.role;
    if (input.role == "labels") return FillSpec{FillSpec::Kind::index, inputs.seed, stream, 1.0, p->classes, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, inputs.fill == InputFill::wide ? 16.0 : 2.0, 1, 1.0};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse(problem);
    if (!p) return tl::unexpected(p.error());
    const Shape matrix{p->batch, p->classes}, vector{p->batch}, one{1};
    const double elements = static_cast<double>(p->batch) * static_cast<double>(p->classes);
    SimpleCase c;
    c.inputs = {{"logits", DataType::f32, matrix, canonical_layout(matrix)}, {"labels", DataType::i32, vector, canonical_layout(vector)}};
    c.outputs = {{"loss", DataType::f32, one, canonical_layout(one)}, {"diff_logits", DataType::f32, matrix, canonical_layout(matrix)}};
    c.cost = {5 * elements, 8 * elements};
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) { return answers(p, in[0], in[1]); };
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
    parts->workspace_bytes = sizeof(float) * static_cast<std::size_t>(batch);
    parts->run = [batch, classes](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
      const float* logits = static_cast<const float*>(in[0].region.data);
      const auto* labels = static_cast<const std::int32_t*>(in[1].region.data);
      float *loss = static_cast<float*>(out[0].region.data), *diff = static_cast<float*>(out[1].region.data);
      float* losses = static_cast<float*>(workspace.data);
#pragma omp parallel for schedule(static)
      for (std::int64_t n = 0; n < batch; ++n)
        losses[n] = row_loss(logits + n * classes, classes, labels[n], static_cast<float>(batch), diff + n * classes);
      float total = 0;
      for (std::int64_t n = 0; n < batch; ++n) total += losses[n];  // in order of the batch
      *loss = total / static_cast<float>(batch);
    };
    return parts;
  }
  static Result<Parsed> parse(const Problem& problem) {
    if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
    if (problem.layout != "plain") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; plain does");
    auto f = read_shape(problem.shape, {{"mb", 1, 1 << 20}, {"k", 1, 1 << 20}});
    if (!f) return tl::unexpected(f.error());
    return Parsed{(*f)[0], (*f)[1]};
  }

  /// With d = x - max: the difference rounds by u|d|, which exp turns into a relative error, plus its own rounding; a sum
  /// of K such terms adds u(4 + 2 sqrt K). `relative` bounds the error of a softmax value and of the sum.
  static std::vector<Expected> answers(const Parsed& p, const std::vector<double>& x, const std::vector<double>& labels) {
    const double u = unit_roundoff_f32, batch = static_cast<double>(p.batch);
    Expected loss{{0.0}, {0.0}, {}}, diff{std::vector<double>(x.size()), std::vector<double>(x.size()), {}};
    for (std::int64_t n = 0; n < p.batch; ++n) {
      const double* row = x.data() + n * p.classes;
      const double top = *std::max_element(row, row + p.classes);
      double sum = 0, weighted = 0;
      for (std::int64_t j = 0; j < p.classes; ++j) {
        const double e = std::exp(row[j] - top);
        sum += e;
        weighted += e * (top - row[j]);
      }
      // Rounding of the differences, averaged with the softmax's own weights.
      const double sum_error = u * (weighted / sum + 6 + 2 * std::sqrt(static_cast<double>(p.classes)));
      const auto label = static_cast<std::int64_t>(labels[n]);
      const double value = std::log(sum) - (row[label] - top);
      loss.value[0] += value / batch;
      loss.bound[0] += (sum_error + 2 * u * (std::abs(std::log(sum)) + std::abs(row[label] - top))) / batch;
      for (std::int64_t j = 0; j < p.classes; ++j) {
        const double softmax = std::exp(row[j] - top) / sum, relative = sum_error + u * (top - row[j] + 3);
        diff.value[n * p.classes + j] = (softmax - (j == label ? 1 : 0)) / batch;
        // Below the smallest normal number a rounding is absolute.
        diff.bound[n * p.classes + j] = (softmax * relative + 2 * u * std::abs(softmax - (j == label ? 1 : 0))) / batch + 0x1p-148;
      }
    }
    loss.bound[0] += u * (4 + 2 * std::sqrt(batch)) * loss.value[0];
    return {std::move(loss), std::move(diff)};
  }
};

}  // namespace

std::unique_ptr<Operation> make_softmax_cross_entropy_operation() { return std::make_unique<SoftmaxCrossEntropyOperation>(); }

Problem softmax_cross_entropy_problem(std::int64_t batch, std::int64_t classes) {
  return {"softmax_cross_entropy", format_shape({{"mb", std::to_string(batch)}, {"k", std::to_string(classes)}}), "f32_f32_strict", "plain"};
}

}  // namespace detbench
