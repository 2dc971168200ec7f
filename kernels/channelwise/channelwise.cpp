#include "kernels/channelwise/channelwise.hpp"

#include <cmath>

#include "kernels/channelwise/parts.hpp"

namespace detbench {
namespace {

constexpr std::pair<const char*, ChannelwisePass> ops[] = {
    {"scale_channels_fwd", ChannelwisePass::scale_forward}, {"scale_channels_bwd", ChannelwisePass::scale_backward}, {"bias_add", ChannelwisePass::bias_add}};

Problem problem_of(const char* op, std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::string layout, std::string types) {
  return {op, format_shape({{"mb", std::to_string(batch)}, {"c", std::to_string(channels)}, {"h", std::to_string(height)}, {"w", std::to_string(width)}}),
          std::move(types), std::move(layout)};
}

/// fp64, all in canonical order. One rounding of an element; of a sum of M products METHOD section 2's factor for M terms.
std::vector<Expected> answers(const ChannelwiseProblem& p, const std::vector<std::vector<double>>& in) {
  constexpr double u = unit_roundoff_f32;
  const auto& x = in[0];
  const auto channels = static_cast<std::size_t>(p.channels), image = static_cast<std::size_t>(p.plane() * p.channels);
  Expected element{std::vector<double>(x.size()), std::vector<double>(x.size()), {}};
  const auto at = [&](std::size_t i) { return i / image * channels + i % channels; };
  for (std::size_t i = 0; i < x.size(); ++i) {
    element.value[i] = p.pass == ChannelwisePass::scale_forward    ? x[i] * in[1][at(i)]
                       : p.pass == ChannelwisePass::scale_backward ? in[2][i] * in[1][at(i)]
                                                                   : x[i] + in[1][i % channels];
    element.bound[i] = u * (1 + 0x1p-20) * std::abs(element.value[i]) + 0x1p-149;
  }
  if (p.pass != ChannelwisePass::scale_backward) return {std::move(element)};
  const std::size_t pairs = static_cast<std::size_t>(p.batch) * channels;
  Expected sum{std::vector<double>(pairs), std::vector<double>(pairs), {}};
  std::vector<double> magnitude(pairs);
  for (std::size_t i = 0; i < x.size(); ++i) sum.value[at(i)] += in[2][i] * x[i], magnitude[at(i)] += std::abs(in[2][i] * x[i]);
  const double factor = u * (4 + 2 * std::sqrt(static_cast<double>(p.plane())));
  for (std::size_t i = 0; i < pairs; ++i) sum.bound[i] = factor * magnitude[i] + 0x1p-149 * static_cast<double>(p.plane());
  return {std::move(element), std::move(sum)};
}

class ChannelwiseOperation final : public StoredOperation {
 public:
  ChannelwiseOperation(std::string op, ChannelwisePass pass, const AlgorithmSearch&) : StoredOperation(std::move(op)) {
    set_batch_field("mb");
    if (pass != ChannelwisePass::scale_backward) add_provider(channelwise::make_onednn_provider());
    add_provider(std::make_unique<FixedOrderProvider>(
        pass == ChannelwisePass::scale_backward ? "chunks512" : "elementwise",
        [](const Problem& problem) { return channelwise::fixed_order_parts(problem, channelwise::best_instruction_set()); }, true,
        channelwise::cuda_fixed_order()));
    if (pass == ChannelwisePass::scale_backward) add_provider(channelwise::make_cuda_provider()), add_provider(channelwise::make_openmp_provider());
  }
  bool has_exact_fill() const override { return false; }
  Result<FillSpec> fill(const Problem& problem, const TensorSpec& input, const Inputs& inputs) const override {
    const std::string stream = problem.op + "/" + input.role;
    // A product of two, and f16 ends at 65504.
    if (inputs.fill == InputFill::wide && input.role != "scale") return FillSpec{FillSpec::Kind::wide, inputs.seed, stream, 1.0, input.type == DataType::f16 ? 3 : 8, 1.0};
    if (input.role == "scale") return FillSpec{FillSpec::Kind::uniform, inputs.seed, stream, 1.0, 1, 1.0};
    return FillSpec{FillSpec::Kind::normal, inputs.seed, stream, 1.0, 1, 1.0};
  }

 protected:
  Result<SimpleCase> describe(const Problem& problem) const override {
    auto p = parse_channelwise(problem);
    if (!p) return tl::unexpected(p.error());
    p->layout = "nhwc";
    auto specs = channelwise_specs(*p);
    if (!specs) return tl::unexpected(specs.error());
    SimpleCase c{specs->inputs, specs->outputs, {}, {}};
    const auto elements = static_cast<double>(element_count(p->activation_shape())), size = static_cast<double>(size_of(p->storage));
    c.cost = p->pass == ChannelwisePass::scale_backward ? Cost{3 * elements, 3 * size * elements} : Cost{elements, 2 * size * elements};
    c.evaluate = [p = *p](const std::vector<std::vector<double>>& in) { return answers(p, in); };
    return c;
  }
};

}  // namespace

Result<ChannelwiseProblem> parse_channelwise(const Problem& problem) {
  for (const auto& [op, pass] : ops)
    if (problem.op == op) {
      const auto storage = parse_storage(problem);
      if (!storage) return tl::unexpected(storage.error());
      auto f = read_shape(problem.shape, {{"mb", 1, 1 << 20}, {"c", 1, 1 << 20}, {"h", 1, 1 << 16}, {"w", 1, 1 << 16}});
      if (!f) return tl::unexpected(f.error());
      bool known = false;
      for (const char* layout : {"nhwc", "nchw", "nchw16c", "nchw8c"}) known |= problem.layout == layout;
      if (!known) return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; nhwc, nchw, nchw16c and nchw8c do");
      // Offsets are 64-bit; what cannot be held in memory anyway is refused before anybody multiplies it further.
      if (static_cast<double>((*f)[0]) * static_cast<double>((*f)[1]) * static_cast<double>((*f)[2]) * static_cast<double>((*f)[3]) > 0x1p36)
        return invalid_input("shape '" + problem.shape + "' has over 2^36 elements; choose a smaller one");
      return ChannelwiseProblem{(*f)[0], (*f)[1], (*f)[2], (*f)[3], pass, problem.layout, *storage};
    }
  return invalid_input("'" + problem.op.substr(0, 60) + "' is no channel-wise operation; scale_channels_fwd, scale_channels_bwd and bias_add are");
}

Problem scale_channels_problem(bool backward, std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::string layout,
                               std::string types) {
  return problem_of(backward ? "scale_channels_bwd" : "scale_channels_fwd", batch, channels, height, width, std::move(layout), std::move(types));
}
Problem bias_add_problem(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::string layout, std::string types) {
  return problem_of("bias_add", batch, channels, height, width, std::move(layout), std::move(types));
}

Result<ChannelwiseSpecs> channelwise_specs(const ChannelwiseProblem& p) {
  auto layout = activation_layout(p.activation_shape(), p.layout);
  if (!layout) return tl::unexpected(layout.error());
  const auto activation = [&](const char* role) { return TensorSpec{role, p.storage, p.activation_shape(), *layout}; };
  const auto scale = [&](const char* role) { return TensorSpec{role, p.storage, {p.batch, p.channels}, canonical_layout({p.batch, p.channels})}; };
  switch (p.pass) {
    case ChannelwisePass::scale_forward: return ChannelwiseSpecs{{activation("src"), scale("scale")}, {activation("dst")}};
    case ChannelwisePass::scale_backward:
      return ChannelwiseSpecs{{activation("src"), scale("scale"), activation("diff_dst")}, {activation("diff_src"), scale("diff_scale")}};
    default: break;
  }
  return ChannelwiseSpecs{{activation("src"), {"bias", DataType::f32, {p.channels}, canonical_layout({p.channels})}}, {activation("dst")}};
}

std::vector<std::unique_ptr<Operation>> make_channelwise_operations(const AlgorithmSearch& search) {
  std::vector<std::unique_ptr<Operation>> operations;
  for (const auto& [op, pass] : ops) operations.push_back(std::make_unique<ChannelwiseOperation>(op, pass, search));
  return operations;
}

}  // namespace detbench
