#include "kernels/loss/loss.hpp"

#include <charconv>

#include "kernels/contention.hpp"
#include "kernels/loss/parts.hpp"
#include "kernels/loss/rows.hpp"
#include "kernels/simple_operation.hpp"

namespace detbench {
namespace {

/// One row: element j adds to lane j % 8, the lanes meet in a fixed tree. Returns the row's loss.
float row_loss(const float* x, std::int64_t classes, std::int32_t label, float batch, const rows::Smoothing& smoothing, float* diff) {
  float top = x[0];
  for (std::int64_t j = 1; j < classes; ++j) top = x[j] > top ? x[j] : top;
  float s[rows::lanes] = {};
  for (std::int64_t j = 0; j < classes; ++j) diff[j] = portable::exp(x[j] - top);
  for (std::int64_t j = 0; j < classes; ++j) s[j % rows::lanes] += diff[j];
  const float sum = rows::join_lanes(s);
  for (std::int64_t j = 0; j < classes; ++j) diff[j] = rows::cross_entropy_gradient(diff[j], sum, j == label ? smoothing.on : smoothing.off, batch);
  if (label < 0 || label >= classes) return rows::no_loss();
  if (!smoothing.exists) return rows::cross_entropy_loss(sum, x[label], top);
  float shifted[rows::lanes] = {};
  for (std::int64_t j = 0; j < classes; ++j) shifted[j % rows::lanes] += x[j] - top;
  return rows::smoothed_loss(smoothing, sum, x[label], top, rows::join_lanes(shifted));
}

struct Parsed {
  std::int64_t batch, classes;
  double smoothing;
  rows::Smoothing targets() const { return rows::Smoothing::of(smoothing, classes); }
};

class SoftmaxCrossEntropyOperation final : public SimpleOperation {
 public:
  SoftmaxCrossEntropyOperation() : SimpleOperation("softmax_cross_entropy") {
    add_provider(std::make_unique<FixedOrderProvider>(
        "lanes", [this](const Problem& problem) { return cpu_parts(problem, false); }, true,
        [this](const Problem& problem) -> Result<SimplePlanParts> {
          auto parts = specs_of(problem);
          if (!parts) return parts;
          return rows::cuda_cross_entropy_parts(std::move(*parts), parse(problem)->targets(), false);
        }));
    add_provider(std::make_unique<SimpleProvider>(
        "cuda_atomic", DeviceKind::cuda,
        std::vector<SimpleAlgorithm>{{"row_then_atomic", {}, true, [this](const Problem& problem, Device&) -> Result<SimplePlanParts> {
                                        auto parts = specs_of(problem);
                                        if (!parts) return parts;
                                        auto made = rows::cuda_cross_entropy_parts(std::move(*parts), parse(problem)->targets(), true);
                                        if (made) made->notes.merge(contention_notes(parse(problem)->batch));
                                        return made;
                                      }}}));
    add_provider(std::make_unique<SimpleProvider>(
        "openmp", DeviceKind::cpu,
        std::vector<SimpleAlgorithm>{{"row_then_atomic", {}, true, [this](const Problem& problem, Device&) { return cpu_parts(problem, true); }}}));
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
  /// Rows alike in both; their losses meet in the order of the batch, or by atomics as threads get through.
  Result<SimplePlanParts> cpu_parts(const Problem& problem, bool atomic) const {
    auto parts = specs_of(problem);
    if (!parts) return parts;
    const std::int64_t batch = parts->inputs[0].shape[0], classes = parts->inputs[0].shape[1];
    if (atomic) parts->notes = contention_notes(batch);
    else parts->workspace_bytes = sizeof(float) * static_cast<std::size_t>(batch);
    parts->run = [batch, classes, atomic, smoothing = parse(problem)->targets()](std::span<const Tensor> in, std::span<const Tensor> out, Region workspace) {
      const float* logits = static_cast<const float*>(in[0].region.data);
      const auto* labels = static_cast<const std::int32_t*>(in[1].region.data);
      float *loss = static_cast<float*>(out[0].region.data), *diff = static_cast<float*>(out[1].region.data);
      const auto row = [&](std::int64_t n) { return row_loss(logits + n * classes, classes, labels[n], static_cast<float>(batch), smoothing, diff + n * classes); };
      float total = 0;
      if (atomic) {
#pragma omp parallel for schedule(static)
        for (std::int64_t n = 0; n < batch; ++n) {
          const float here = row(n);
#pragma omp atomic
          total += here;
        }
      } else {
        float* losses = static_cast<float*>(workspace.data);
#pragma omp parallel for schedule(static)
        for (std::int64_t n = 0; n < batch; ++n) losses[n] = row(n);
        for (std::int64_t n = 0; n < batch; ++n) total += losses[n];
      }
      *loss = total / static_cast<float>(batch);
    };
    return parts;
  }
  static Result<Parsed> parse(const Problem& problem) {
    if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
    if (problem.layout != "plain") return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; plain does");
    auto fields = parse_shape(problem.shape);
    if (!fields) return tl::unexpected(fields.error());
    double smoothing = 0;
    if (!fields->empty() && fields->back().first == "ls") {
      const std::string& text = fields->back().second;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), smoothing);
      if (error != std::errc{} || end != text.data() + text.size() || !(smoothing >= 0 && smoothing < 1))
        return invalid_input("ls in shape '" + problem.shape.substr(0, 200) + "' is a label smoothing from 0 to below 1, like ls0.1");
      fields->pop_back();
    }
    auto f = read_shape(format_shape(*fields), {{"mb", 1, 1 << 20}, {"k", 1, 1 << 20}});
    if (!f) return tl::unexpected(f.error());
    return Parsed{(*f)[0], (*f)[1], smoothing};
  }

  /// With d = x - max: the difference rounds by u|d|, which exp turns into a relative error, plus its own rounding; a sum
  /// of K such terms adds u(4 + 2 sqrt K). `relative` bounds the error of a softmax value and of the sum.
  static std::vector<Expected> answers(const Parsed& p, const std::vector<double>& x, const std::vector<double>& labels) {
    const double u = unit_roundoff_f32, batch = static_cast<double>(p.batch);
    Expected loss{{0.0}, {0.0}, {}}, diff{std::vector<double>(x.size()), std::vector<double>(x.size()), {}};
    for (std::int64_t n = 0; n < p.batch; ++n) {
      const double* row = x.data() + n * p.classes;
      const double top = *std::max_element(row, row + p.classes);
      double sum = 0, weighted = 0, below = 0;
      for (std::int64_t j = 0; j < p.classes; ++j) {
        const double e = std::exp(row[j] - top);
        sum += e;
        weighted += e * (top - row[j]);
        below += top - row[j];
      }
      // Rounding of the differences, averaged with the softmax's own weights.
      const double sum_error = u * (weighted / sum + 6 + 2 * std::sqrt(static_cast<double>(p.classes)));
      const auto label = static_cast<std::int64_t>(labels[n]);
      // The f32 targets are part of the definition; what they lack of adding up to 1 is not.
      const double kept = p.targets().kept, off = p.targets().off;
      const double value = std::log(sum) + kept * (top - row[label]) + off * below;
      loss.value[0] += value / batch;
      loss.bound[0] += (sum_error + 2 * u * (std::abs(std::log(sum)) + std::abs(row[label] - top))) / batch;
      if (p.smoothing > 0) loss.bound[0] += (off * below * u * (8 + 2 * std::sqrt(static_cast<double>(p.classes))) + 4 * u * kept * (top - row[label])) / batch;
      for (std::int64_t j = 0; j < p.classes; ++j) {
        const double softmax = std::exp(row[j] - top) / sum, relative = sum_error + u * (top - row[j] + 3);
        const double target = j == label ? p.targets().on : p.targets().off;
        diff.value[n * p.classes + j] = (softmax - target) / batch;
        // Below the smallest normal number a rounding is absolute.
        diff.bound[n * p.classes + j] = (softmax * relative + 2 * u * std::abs(softmax - target)) / batch + 0x1p-148;
      }
    }
    loss.bound[0] += u * (4 + 2 * std::sqrt(batch)) * loss.value[0];
    return {std::move(loss), std::move(diff)};
  }
};

}  // namespace

std::unique_ptr<Operation> make_softmax_cross_entropy_operation() { return std::make_unique<SoftmaxCrossEntropyOperation>(); }

Problem softmax_cross_entropy_problem(std::int64_t batch, std::int64_t classes, double label_smoothing) {
  ShapeFields fields{{"mb", std::to_string(batch)}, {"k", std::to_string(classes)}};
  if (label_smoothing != 0) {
    char text[400];  // the shortest decimal number that reads back as this one, without an exponent
    fields.emplace_back("ls", std::string(text, std::to_chars(text, text + sizeof text, label_smoothing, std::chars_format::fixed).ptr));
  }
  return {"softmax_cross_entropy", format_shape(fields), "f32_f32_strict", "plain"};
}

}  // namespace detbench
