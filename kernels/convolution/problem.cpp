#include "kernels/convolution/problem.hpp"

namespace detbench {
namespace {

constexpr std::int64_t max_elements = std::int64_t{1} << 34;

TensorSpec activations(const ConvolutionProblem& p, std::string role, const Shape& shape) {
  return {std::move(role), p.types.storage, shape, *activation_layout(shape, p.layout == "nchw" ? "nchw" : "nhwc")};
}

TensorSpec filters(const ConvolutionProblem& p, std::string role, DataType type) {
  const auto shape = p.weights_shape();
  return {std::move(role), type, shape,
          p.layout == "nchw" ? permuted_layout(shape, {0, 1, 4, 2, 3}) : canonical_layout(shape)};
}

std::string quoted(const Problem& problem) { return "'" + problem_id(problem).substr(0, 300) + "'"; }

Status check_numbers(const ConvolutionProblem& p, const Problem& problem) {
  const auto bad = [&](const std::string& what) { return invalid_input(what + " in convolution " + quoted(problem)); };
  for (auto [key, channels] : {std::pair{"ic", p.ic}, {"oc", p.oc}})
    if (channels % p.g != 0)
      return bad("g" + std::to_string(p.g) + " does not divide " + key + std::to_string(channels) +
                 " (ic and oc are totals over the groups)");
  const std::int64_t extent_h = p.dh * (p.kh - 1) + 1, extent_w = p.dw * (p.kw - 1) + 1;
  for (auto [key, pad, extent] : {std::tuple{"pt", p.pt, extent_h}, {"pb", p.pb, extent_h}, {"pl", p.pl, extent_w},
                                  {"pr", p.pr, extent_w}})
    if (pad >= extent)
      return bad(std::string(key) + std::to_string(pad) + " is not below the kernel's extent of " + std::to_string(extent));
  for (auto [axis, in, extent] : {std::tuple{"rows", p.ih + p.pt + p.pb, extent_h}, {"columns", p.iw + p.pl + p.pr, extent_w}})
    if (in < extent)
      return bad("the output is empty: a kernel of " + std::to_string(extent) + " " + axis + " on a padded image of " +
                 std::to_string(in));
  for (const auto& [name, shape] :
       {std::pair{"src", p.src_shape()}, {"weights", p.weights_shape()}, {"dst", p.dst_shape()}}) {
    long double elements = 1;  // sizes are bounded one by one, so this cannot overflow where their product in int64 would
    for (auto size : shape) elements *= static_cast<long double>(size);
    if (elements > max_elements) return bad(std::string(name) + " has more than 2^34 elements");
  }
  return {};
}

}  // namespace

std::string_view op_name(Direction direction) {
  switch (direction) {
    case Direction::dgrad: return "conv_dgrad";
    case Direction::wgrad: return "conv_wgrad";
    default: return "conv_fwd";
  }
}

std::int64_t ConvolutionProblem::reduction_length() const {
  switch (direction) {
    case Direction::forward: return kh * kw * icg();
    // With a stride only every sh-th tap of a column meets an output.
    case Direction::dgrad: return ((kh + sh - 1) / sh) * ((kw + sw - 1) / sw) * ocg();
    default: return mb * oh() * ow();
  }
}

double ConvolutionProblem::flops() const {
  return 2.0 * static_cast<double>(mb) * static_cast<double>(oh() * ow()) * static_cast<double>(oc) *
         static_cast<double>(kh * kw * icg());
}

ConvolutionTensors tensors_of(const ConvolutionProblem& p) {
  switch (p.direction) {
    case Direction::dgrad:
      return {{activations(p, "diff_dst", p.dst_shape()), filters(p, "weights", p.types.storage)},
              {activations(p, "diff_src", p.src_shape())}};
    case Direction::wgrad:
      return {{activations(p, "src", p.src_shape()), activations(p, "diff_dst", p.dst_shape())},
              {filters(p, "diff_weights", p.types.weight_gradient)}};
    default:
      return {{activations(p, "src", p.src_shape()), filters(p, "weights", p.types.storage)},
              {activations(p, "dst", p.dst_shape())}};
  }
}

Problem to_problem(const ConvolutionProblem& p) {
  ShapeFields fields;
  for (auto [key, value] : {std::pair{"mb", p.mb}, {"g", p.g}, {"ic", p.ic}, {"ih", p.ih}, {"iw", p.iw}, {"oc", p.oc},
                            {"kh", p.kh}, {"kw", p.kw}, {"sh", p.sh}, {"sw", p.sw}, {"pt", p.pt}, {"pb", p.pb},
                            {"pl", p.pl}, {"pr", p.pr}, {"dh", p.dh}, {"dw", p.dw}})
    fields.emplace_back(key, std::to_string(value));
  return {std::string(op_name(p.direction)), format_shape(fields), to_text(p.types), p.layout};
}

Result<ConvolutionProblem> parse_convolution(const Problem& problem) {
  ConvolutionProblem p;
  bool known = false;
  for (auto direction : all_directions)
    if (op_name(direction) == problem.op) p.direction = direction, known = true;
  if (!known)
    return invalid_input("'" + problem.op.substr(0, 60) + "' is no convolution: conv_fwd, conv_dgrad and conv_wgrad are");
  auto types = parse_product_types(problem.types, p.direction == Direction::wgrad);
  if (!types) return tl::unexpected(types.error());
  p.types = *types;
  if (problem.layout != "nhwc" && problem.layout != "nchw" && problem.layout != "blocked")
    return invalid_input("'" + problem.layout.substr(0, 60) + "' is no layout of a convolution: nhwc, nchw and blocked are");
  p.layout = problem.layout;
  auto v = read_shape(problem.shape,
                      {{"mb", 1, 1 << 20}, {"g", 1, 1 << 20}, {"ic", 1, 1 << 20}, {"ih", 1, 1 << 20}, {"iw", 1, 1 << 20},
                       {"oc", 1, 1 << 20}, {"kh", 1, 1024}, {"kw", 1, 1024}, {"sh", 1, 1024}, {"sw", 1, 1024},
                       {"pt", 0, 1 << 20}, {"pb", 0, 1 << 20}, {"pl", 0, 1 << 20}, {"pr", 0, 1 << 20}, {"dh", 1, 1024},
                       {"dw", 1, 1024}});
  if (!v) return tl::unexpected(v.error());
  std::size_t i = 0;
  for (auto* field : {&p.mb, &p.g, &p.ic, &p.ih, &p.iw, &p.oc, &p.kh, &p.kw, &p.sh, &p.sw, &p.pt, &p.pb, &p.pl, &p.pr,
                      &p.dh, &p.dw})
    *field = (*v)[i++];
  if (auto status = check_numbers(p, problem); !status) return tl::unexpected(status.error());
  return p;
}

}  // namespace detbench
