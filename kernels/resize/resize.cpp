#include "kernels/resize/resize.hpp"

#include <cmath>

#include "kernels/resize/parts.hpp"
#include "kernels/stored_operation.hpp"

namespace detbench {
namespace resize {

Sizes ResizeProblem::sizes() const {
  const auto narrow = [](std::int64_t size) { return static_cast<std::int32_t>(size); };
  const bool last = layout == "nhwc";
  return {last ? images : images * channels, last ? channels : 1, narrow(ih), narrow(iw), narrow(oh), narrow(ow)};
}
Result<TensorSpec> ResizeProblem::diff_dst() const {
  const Shape shape{images, oh, ow, channels};
  auto memory = activation_layout(shape, layout);
  if (!memory) return tl::unexpected(memory.error());
  return TensorSpec{"diff_dst", storage, shape, *memory};
}
Result<TensorSpec> ResizeProblem::diff_src() const {
  const Shape shape{images, ih, iw, channels};
  auto memory = activation_layout(shape, layout);
  if (!memory) return tl::unexpected(memory.error());
  return TensorSpec{"diff_src", DataType::f32, shape, *memory};
}

Result<ResizeProblem> parse_resize(const Problem& problem) {
  if (problem.op != "resize_bilinear_bwd") return invalid_input("'" + problem.op.substr(0, 60) + "' is not the operation resize_bilinear_bwd");
  const auto storage = parse_storage(problem);
  if (!storage) return tl::unexpected(storage.error());
  if (problem.layout != "nhwc" && problem.layout != "nchw")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for resize_bilinear_bwd; nhwc and nchw do");
  constexpr std::int64_t most = 1 << 14;
  const auto f = read_shape(problem.shape, {{"mb", 1, 1 << 20}, {"c", 1, 1 << 20}, {"ih", 1, most}, {"iw", 1, most}, {"oh", 1, most}, {"ow", 1, most}});
  if (!f) return tl::unexpected(f.error());
  const ResizeProblem p{(*f)[0], (*f)[1], (*f)[2], (*f)[3], (*f)[4], (*f)[5], *storage, problem.layout};
  // Offsets are 64-bit; what cannot be held in memory anyway is refused before anybody multiplies it further.
  const auto pixels = static_cast<double>(std::max(p.ih * p.iw, p.oh * p.ow));
  if (static_cast<double>(p.images) * static_cast<double>(p.channels) * pixels > 0x1p36)
    return invalid_input("shape '" + problem.shape + "' has over 2^36 elements; choose a smaller one");
  return p;
}

Result<SimplePlanParts> resize_parts(const ResizeProblem& problem) {
  auto from = problem.diff_dst(), to = problem.diff_src();
  if (!from) return tl::unexpected(from.error());
  if (!to) return tl::unexpected(to.error());
  SimplePlanParts parts;
  parts.inputs = {std::move(*from)}, parts.outputs = {std::move(*to)};
  parts.alignment_bytes = sizeof(float);  // element by element
  return parts;
}

namespace {

/// Inputs and weights of an output along a dimension, from the position itself in fp64: shares nothing with bilinear.hpp.
struct Reads {
  std::int64_t first, second;
  double own, next;
};
Reads reads_of(std::int64_t output, std::int64_t inputs, std::int64_t outputs) {
  const double at = (static_cast<double>(output) + 0.5) * static_cast<double>(inputs) / static_cast<double>(outputs) - 0.5;
  const double kept = std::min(std::max(at, 0.0), static_cast<double>(inputs - 1)), below = std::floor(kept);
  const auto first = static_cast<std::int64_t>(below);
  return {first, std::min(first + 1, inputs - 1), 1 - (kept - below), kept - below};
}

/// fp64, canonical order. A weight of ours is rounded once; a library that computes positions of up to `size` in f32 is off by
/// some 4 u * size pixels, which moves that much of a gradient from an input to its neighbour.
Expected answers(const ResizeProblem& p, const std::vector<double>& dy) {
  constexpr double u = unit_roundoff_f32;
  const auto inputs = static_cast<std::size_t>(p.images * p.ih * p.iw * p.channels);
  Expected e{std::vector<double>(inputs), std::vector<double>(inputs), {}};
  std::vector<double> magnitude(inputs);
  std::vector<std::int64_t> terms(inputs);
  const double position = 4 * u * static_cast<double>(std::max(p.ih, p.iw) + 1);
  const auto at = [&](std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) { return static_cast<std::size_t>(((n * p.ih + y) * p.iw + x) * p.channels + c); };
  for (std::int64_t n = 0; n < p.images; ++n)
    for (std::int64_t r = 0; r < p.oh; ++r)
      for (std::int64_t s = 0; s < p.ow; ++s) {
        const Reads rows = reads_of(r, p.ih, p.oh), columns = reads_of(s, p.iw, p.ow);
        // One input further to either side, where a rounded position may fall.
        for (std::int64_t y = std::max<std::int64_t>(rows.first - 1, 0); y <= std::min(rows.second + 1, p.ih - 1); ++y)
          for (std::int64_t x = std::max<std::int64_t>(columns.first - 1, 0); x <= std::min(columns.second + 1, p.iw - 1); ++x) {
            const double row = (y == rows.first ? rows.own : 0) + (y == rows.second ? rows.next : 0);
            const double column = (x == columns.first ? columns.own : 0) + (x == columns.second ? columns.next : 0);
            for (std::int64_t c = 0; c < p.channels; ++c) {
              const double gradient = dy[static_cast<std::size_t>(((n * p.oh + r) * p.ow + s) * p.channels + c)];
              const std::size_t i = at(n, y, x, c);
              e.value[i] += row * column * gradient;
              magnitude[i] += row * column * std::abs(gradient);
              // No weight, no more than the corner that a moved position reaches.
              e.bound[i] += position * (row + column + position) * std::abs(gradient);
              if (row * column > 0) ++terms[i];
            }
          }
      }
  for (std::size_t i = 0; i < inputs; ++i) e.bound[i] += u * (8 + 2 * std::sqrt(static_cast<double>(terms[i]))) * magnitude[i] + 0x1p-140;
  return e;
}

class ResizeOperation final : public StoredOperation {
 public:
  ResizeOperation() : StoredOperation("resize_bilinear_bwd") {
    set_batch_field("mb");
    add_provider(std::make_unique<FixedOrderProvider>("gather", cpu_gather, true, cuda_gather));
    add_provider(make_openmp_provider());
    add_provider(make_onednn_provider());
    add_provider(make_cuda_atomic_provider());
  }
  bool has_exact_fill() const override { return false; }  // weights round
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    if (inputs.fill == InputFill::wide) return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, input.type == DataType::f16 ? 6 : 8, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 1.0, 1, 1.0};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse_resize(problem);
    if (!p) return tl::unexpected(p.error());
    p->layout = "nhwc";  // the canonical one
    const auto parts = resize_parts(*p);
    if (!parts) return tl::unexpected(parts.error());
    SimpleCase c{parts->inputs, parts->outputs, {}, {}};
    // Four products and additions an output.
    c.cost = {8 * static_cast<double>(element_count(c.inputs[0].shape)), static_cast<double>(c.inputs[0].bytes() + c.outputs[0].bytes())};
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) { return std::vector<Expected>{answers(p, in[0])}; };
    return c;
  }
};

}  // namespace
}  // namespace resize

std::unique_ptr<Operation> make_resize_bilinear_operation() { return std::make_unique<resize::ResizeOperation>(); }

}  // namespace detbench
