#include "kernels/pooling/window_problem.hpp"

#include "kernels/simple_operation.hpp"

namespace detbench::pooling {

std::string_view to_text(WindowOp op) {
  switch (op) {
    case WindowOp::max_forward: return "max_pool_fwd";
    case WindowOp::max_backward: return "max_pool_bwd";
    case WindowOp::average_forward: return "avg_pool_fwd";
    case WindowOp::average_backward: return "avg_pool_bwd";
  }
  return "max_pool_fwd";
}

Windows WindowProblem::windows() const {
  const bool planes = layout == "nchw";
  Windows w;
  w.images = planes ? images * channels : images;
  w.channels = planes ? 1 : channels;
  const auto narrow = [](std::int64_t v) { return static_cast<std::int32_t>(v); };
  w.ih = narrow(ih), w.iw = narrow(iw), w.oh = narrow(oh), w.ow = narrow(ow);
  w.kh = narrow(kh), w.kw = narrow(kw), w.sh = narrow(sh), w.sw = narrow(sw), w.pt = narrow(pt), w.pl = narrow(pl);
  w.counts_padding = counts_padding;
  return w;
}

namespace {

TensorSpec activation(const char* role, const Shape& shape, const std::string& layout) {
  return {role, DataType::f32, shape, *activation_layout(shape, layout)};
}

}  // namespace

TensorSpec WindowProblem::source() const { return activation("src", {images, ih, iw, channels}, layout); }
TensorSpec WindowProblem::input() const { return activation(is_backward(op) ? "diff_src" : "src", {images, ih, iw, channels}, layout); }
TensorSpec WindowProblem::output() const { return activation(is_backward(op) ? "diff_dst" : "dst", {images, oh, ow, channels}, layout); }
std::vector<TensorSpec> WindowProblem::plan_inputs() const {
  if (op == WindowOp::max_backward) return {source(), output()};
  return {is_backward(op) ? output() : input()};
}
std::vector<TensorSpec> WindowProblem::plan_outputs() const { return {is_backward(op) ? input() : output()}; }

Result<WindowProblem> parse_window_problem(const Problem& problem) {
  if (auto s = require_f32(problem); !s) return tl::unexpected(s.error());
  WindowProblem p{};
  bool known = false;
  for (const auto op : all_window_ops)
    if (problem.op == to_text(op)) p.op = op, known = true;
  if (!known) return invalid_input("'" + problem.op.substr(0, 60) + "' is no pooling over windows");
  if (problem.layout != "nhwc" && problem.layout != "nchw")
    return invalid_input("layout '" + problem.layout.substr(0, 60) + "' does not exist for " + problem.op + "; nhwc and nchw do");
  std::vector<FieldBounds> fields{{"mb", 1, 1 << 20}, {"c", 1, 1 << 20}, {"ih", 1, 1 << 14}, {"iw", 1, 1 << 14}, {"kh", 1, 255}, {"kw", 1, 255},
                                  {"sh", 1, 255},     {"sw", 1, 255},    {"pt", 0, 254},     {"pb", 0, 254},     {"pl", 0, 254}, {"pr", 0, 254}};
  if (!is_maximum(p.op)) fields.push_back({"ip", 0, 1});
  auto f = read_shape(problem.shape, fields);
  if (!f) return tl::unexpected(f.error());
  const auto& v = *f;
  p.images = v[0], p.channels = v[1], p.ih = v[2], p.iw = v[3], p.kh = v[4], p.kw = v[5], p.sh = v[6], p.sw = v[7];
  p.pt = v[8], p.pb = v[9], p.pl = v[10], p.pr = v[11];
  p.counts_padding = !is_maximum(p.op) && v[12] == 1;
  p.layout = problem.layout;
  const auto refuse = [&](const std::string& what) { return invalid_input("shape '" + problem.shape.substr(0, 200) + "' " + what); };
  if (std::max(p.pt, p.pb) >= p.kh || std::max(p.pl, p.pr) >= p.kw)
    return refuse("pads as much as the window is wide, so that a window could hold padding alone; pads are smaller than kh and kw");
  if (p.ih + p.pt + p.pb < p.kh || p.iw + p.pl + p.pr < p.kw) return refuse("has a window larger than the padded image");
  p.oh = (p.ih + p.pt + p.pb - p.kh) / p.sh + 1, p.ow = (p.iw + p.pl + p.pr - p.kw) / p.sw + 1;
  const double pixels = static_cast<double>(p.images) * static_cast<double>(p.channels);
  if (pixels * static_cast<double>(std::max(p.ih * p.iw, p.oh * p.ow)) > 0x1p36) return refuse("has over 2^36 elements; choose a smaller one");
  return p;
}

}  // namespace detbench::pooling
