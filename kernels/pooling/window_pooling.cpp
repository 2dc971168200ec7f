// The operations max_pool_fwd, max_pool_bwd, avg_pool_fwd and avg_pool_bwd: fp64 answers, fills and who answers.
#include <limits>

#include "kernels/contention.hpp"
#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

/// Relative error of `terms` f32 additions onto zero and `others` further roundings of each term (METHOD section 2). The first
/// addition is exact.
double sum_error(std::int64_t terms, int others) {
  const double k = static_cast<double>(std::max<std::int64_t>(terms - 1, 0));
  return unit_roundoff_f32 * (1 + 0x1p-20) * (std::min(k, 4 + 2 * std::sqrt(k)) + others);
}

/// Calls visit(input index, r, s) for every pixel of every window, in order, all indices canonical (N,H,W,C).
struct Walk {
  const WindowProblem& p;
  std::size_t inputs() const { return static_cast<std::size_t>(p.images * p.ih * p.iw * p.channels); }
  std::size_t outputs() const { return static_cast<std::size_t>(p.images * p.oh * p.ow * p.channels); }
  template <class F>
  void window(std::size_t output, F&& visit) const {
    std::int64_t rest = static_cast<std::int64_t>(output);
    const std::int64_t c = rest % p.channels, ox = (rest /= p.channels) % p.ow, oy = (rest /= p.ow) % p.oh, n = rest / p.oh;
    for (std::int64_t r = 0; r < p.kh; ++r)
      for (std::int64_t s = 0; s < p.kw; ++s) {
        const std::int64_t y = oy * p.sh - p.pt + r, x = ox * p.sw - p.pl + s;
        if (y >= 0 && y < p.ih && x >= 0 && x < p.iw) visit(static_cast<std::size_t>(((n * p.ih + y) * p.iw + x) * p.channels + c));
      }
  }
  std::int64_t pixels(std::size_t output) const {
    std::int64_t count = 0;
    window(output, [&](std::size_t) { ++count; });
    return count;
  }
};

Expected max_forward_answers(const Walk& walk, const std::vector<double>& x) {
  Expected e{std::vector<double>(walk.outputs(), -std::numeric_limits<double>::infinity()), std::vector<double>(walk.outputs(), 0.0), {}};
  for (std::size_t o = 0; o < e.value.size(); ++o)
    walk.window(o, [&](std::size_t i) { e.value[o] = std::max(e.value[o], x[i]); });
  return e;
}

Expected average_forward_answers(const Walk& walk, const std::vector<double>& x) {
  Expected e{std::vector<double>(walk.outputs()), std::vector<double>(walk.outputs()), {}};
  for (std::size_t o = 0; o < e.value.size(); ++o) {
    const std::int64_t pixels = walk.pixels(o);
    const auto divisor = static_cast<double>(walk.p.counts_padding ? walk.p.kh * walk.p.kw : pixels);
    double magnitude = 0;
    walk.window(o, [&](std::size_t i) { e.value[o] += x[i] / divisor, magnitude += std::abs(x[i]) / divisor; });
    e.bound[o] = sum_error(pixels, 2) * magnitude;  // two: a library may multiply by a rounded reciprocal
  }
  return e;
}

Expected average_backward_answers(const Walk& walk, const std::vector<double>& dy) {
  const std::size_t n = walk.inputs();
  Expected e{std::vector<double>(n), std::vector<double>(n), {}};
  std::vector<std::int32_t> terms(n);
  for (std::size_t o = 0; o < dy.size(); ++o) {
    const double share = dy[o] / static_cast<double>(walk.p.counts_padding ? walk.p.kh * walk.p.kw : walk.pixels(o));
    walk.window(o, [&](std::size_t i) { e.value[i] += share, e.bound[i] += std::abs(share), ++terms[i]; });
  }
  for (std::size_t i = 0; i < n; ++i) e.bound[i] *= sum_error(terms[i], 2);
  return e;
}

class WindowPoolingOperation final : public SimpleOperation {
 public:
  WindowPoolingOperation(WindowOp op, const AlgorithmSearch& search) : SimpleOperation(std::string(to_text(op))), op_(op) {
    std::vector<SimpleAlgorithm> ordered{fixed(is_backward(op) ? "gather" : "windows", Winners::found_again)};
    if (op == WindowOp::max_backward) ordered.push_back(fixed("gather[winners=kept]", Winners::kept));
    add_provider(std::make_unique<SimpleProvider>("fixed_order", std::nullopt, std::move(ordered)));
    if (is_backward(op)) {
      std::vector<SimpleAlgorithm> atomic{scatter("scatter", Winners::found_again, cuda_scatter_parts)};
      if (op == WindowOp::max_backward) atomic.push_back(scatter("scatter[winners=kept]", Winners::kept, cuda_scatter_parts));
      add_provider(std::make_unique<SimpleProvider>("cuda_atomic", DeviceKind::cuda, std::move(atomic)));
    }
    add_provider(make_onednn_window_provider(op));
    add_provider(make_cudnn_legacy_window_provider(op));
    add_provider(make_cudnn_graph_window_provider(op, search));
    if (is_backward(op)) {
      std::vector<SimpleAlgorithm> atomic{scatter("scatter", Winners::found_again, cpu_scatter_parts)};
      if (op == WindowOp::max_backward) atomic.push_back(scatter("scatter[winners=kept]", Winners::kept, cpu_scatter_parts));
      add_provider(std::make_unique<SimpleProvider>("openmp", DeviceKind::cpu, std::move(atomic)));
    }
  }
  bool has_exact_fill() const override { return is_maximum(op_); }  // a division rounds

  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    // Integers would tie in every window, so the elements that are compared come from 121 binades instead.
    if (inputs.fill == InputFill::exact && input.role == "src") return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 60, 1.0};
    if (inputs.fill == InputFill::exact) return FillSpec{FillSpec::Kind::integers, inputs.seed, stream, 1.0, 8, 0.9};
    if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, 8, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 1.0, 1, 1.0};
  }

  Result<std::int64_t> batch_size(const Problem& problem) const override {
    auto p = parse_window_problem(problem);
    if (!p) return tl::unexpected(p.error());
    return p->images;
  }
  Result<BatchVariant> in_batch(const Problem& problem, std::int64_t batch, std::int64_t position) const override {
    auto p = parse_window_problem(problem);
    if (!p) return tl::unexpected(p.error());
    const BatchSlice slice{position, p->images};
    const auto inputs = p->plan_inputs().size();
    p->images = batch;
    return BatchVariant{problem_of(*p), std::vector<std::optional<BatchSlice>>(inputs, slice), {slice}};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse_window_problem(problem);
    if (!p) return tl::unexpected(p.error());
    p->layout = "nhwc";  // the canonical one
    SimpleCase c;
    c.inputs = p->plan_inputs(), c.outputs = p->plan_outputs();
    const auto outputs = static_cast<double>(p->images * p->oh * p->ow) * static_cast<double>(p->channels);
    c.cost.flops = outputs * static_cast<double>(p->kh * p->kw);
    for (const auto* specs : {&c.inputs, &c.outputs})
      for (const auto& spec : *specs) c.cost.bytes += static_cast<double>(spec.bytes());
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) {
      const Walk walk{p};
      std::vector<Expected> answers;
      switch (p.op) {
        case WindowOp::max_forward: answers.push_back(max_forward_answers(walk, in[0])); break;
        case WindowOp::max_backward: answers.push_back(expected_max_gradient(p, in[0], in[1])); break;
        case WindowOp::average_forward: answers.push_back(average_forward_answers(walk, in[0])); break;
        case WindowOp::average_backward: answers.push_back(average_backward_answers(walk, in[0])); break;
      }
      return answers;
    };
    return c;
  }

 private:
  static MakeParts parsed(Result<SimplePlanParts> (*make)(const WindowProblem&, Winners), Winners winners) {
    return [make, winners](const Problem& problem) -> Result<SimplePlanParts> {
      auto p = parse_window_problem(problem);
      if (!p) return tl::unexpected(p.error());
      return make(*p, winners);
    };
  }
  static SimpleAlgorithm fixed(std::string name, Winners winners) {
    return fixed_order_algorithm(std::move(name), parsed(cpu_window_parts, winners), true, parsed(cuda_window_parts, winners));
  }
  static SimpleAlgorithm scatter(std::string name, Winners winners, Result<SimplePlanParts> (*make_parts)(const WindowProblem&, Winners)) {
    return {std::move(name), {}, true, [make = parsed(make_parts, winners)](const Problem& problem, Device&) -> Result<SimplePlanParts> {
              auto parts = make(problem);
              // Windows over one pixel at most; a maximum may give all of them to it.
              if (parts) parts->notes.merge(contention_notes(most_windows_over(parse_window_problem(problem)->windows())));
              return parts;
            }};
  }
  WindowOp op_;
};

}  // namespace

Expected expected_max_gradient(const WindowProblem& problem, const std::vector<double>& x, const std::vector<double>& dy) {
  const Walk walk{problem};
  const std::size_t n = walk.inputs();
  Expected e{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
  std::vector<double> magnitude(n), other(n);
  std::vector<std::int32_t> terms(n), ties(n);
  for (std::size_t o = 0; o < dy.size(); ++o) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t winner = n;
    int equals = 0;
    walk.window(o, [&](std::size_t i) {
      if (winner == n || x[i] > best) best = x[i], winner = i, equals = 0;
      equals += x[i] == best ? 1 : 0;
    });
    e.value[winner] += dy[o];
    magnitude[winner] += std::abs(dy[o]);
    ++terms[winner];
    if (equals == 1) continue;
    walk.window(o, [&](std::size_t i) {
      if (x[i] != best) return;
      ++terms[i];
      magnitude[i] += std::abs(dy[o]);
      if (++ties[i] == 1)
        other[i] = i == winner ? -dy[o] : dy[o];
      else
        e.bound[i] += std::abs(dy[o]);
    });
  }
  for (std::size_t i = 0; i < n; ++i) {
    e.bound[i] += sum_error(terms[i], 0) * magnitude[i];
    e.alternative[i] = e.value[i] + other[i];
  }
  return e;
}

std::unique_ptr<Operation> make_window_pooling_operation(WindowOp op, const AlgorithmSearch& search) {
  return std::make_unique<WindowPoolingOperation>(op, search);
}

Problem problem_of(const WindowProblem& p) {
  ShapeFields fields{{"mb", std::to_string(p.images)}, {"c", std::to_string(p.channels)}, {"ih", std::to_string(p.ih)}, {"iw", std::to_string(p.iw)},
                     {"kh", std::to_string(p.kh)},     {"kw", std::to_string(p.kw)},      {"sh", std::to_string(p.sh)}, {"sw", std::to_string(p.sw)},
                     {"pt", std::to_string(p.pt)},     {"pb", std::to_string(p.pb)},      {"pl", std::to_string(p.pl)}, {"pr", std::to_string(p.pr)}};
  if (!is_maximum(p.op)) fields.emplace_back("ip", p.counts_padding ? "1" : "0");
  return {std::string(to_text(p.op)), format_shape(fields), "f32_f32_strict", p.layout};
}

}  // namespace detbench::pooling
