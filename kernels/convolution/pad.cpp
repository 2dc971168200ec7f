#include "kernels/convolution/pad.hpp"

#include <algorithm>
#include <bit>

namespace detbench {
namespace {

struct AxisForm {
  std::int64_t before, after, symmetric;
};

/// One axis. With a rows added before, b after and q on both sides by the library the answer is the asked one's when
/// a + q = pad and the output keeps its size, which it does while q + b lies between what the last output needs and what
/// would make room for one more. a + b is least with the largest such q.
AxisForm axis_form(std::int64_t in, std::int64_t out, std::int64_t extent, std::int64_t stride, std::int64_t pad) {
  const std::int64_t without = in + pad - extent;  // the last position of the kernel with nothing after
  const std::int64_t least = std::max<std::int64_t>(0, (out - 1) * stride - without), most = out * stride - 1 - without;
  const std::int64_t symmetric = std::min(pad, most);
  return {pad - symmetric, std::max<std::int64_t>(0, least - symmetric), symmetric};
}

}  // namespace

std::size_t SymmetricForm::workspace_bytes() const {
  if (!by_hand.any()) return 0;
  const auto bytes = static_cast<std::size_t>(element_count(problem.src_shape())) * size_of(problem.types.storage);
  return (bytes + 255) / 256 * 256;
}

SymmetricForm symmetric_form(const ConvolutionProblem& p) {
  const auto h = axis_form(p.ih, p.oh(), p.dh * (p.kh - 1) + 1, p.sh, p.pt);
  const auto w = axis_form(p.iw, p.ow(), p.dw * (p.kw - 1) + 1, p.sw, p.pl);
  SymmetricForm form{p, {h.before, h.after, w.before, w.after}};
  form.problem.ih += h.before + h.after;
  form.problem.iw += w.before + w.after;
  form.problem.pt = form.problem.pb = h.symmetric;
  form.problem.pl = form.problem.pr = w.symmetric;
  return form;
}

Result<PaddedRows> padded_rows(const TensorSpec& image, const Padding& padding) {
  if (image.shape.size() != 4) return invalid_input("only activations are padded; '" + image.role + "' has no four dimensions");
  const auto n = image.shape[0], h = image.shape[1], w = image.shape[2], c = image.shape[3];
  if (image.layout == *activation_layout(image.shape, "nhwc"))
    return PaddedRows::of(n, h, w * c, padding.top, padding.bottom, padding.left * c, padding.right * c);
  if (image.layout == *activation_layout(image.shape, "nchw"))
    return PaddedRows::of(n * c, h, w, padding.top, padding.bottom, padding.left, padding.right);
  return invalid_input("'" + image.role + "' lies as " + describe_layout(image) + "; nhwc and nchw can be padded");
}

PaddedRows in_units(const PaddedRows& e, std::int64_t factor) {
  return PaddedRows::of(e.planes, e.rows, e.length / factor, e.top, e.bottom, e.left / factor, e.right / factor);
}

std::size_t unit_bytes(const PaddedRows& e, std::size_t element_bytes, const void* image, const void* padded) {
  const auto size = static_cast<std::uint64_t>(element_bytes);
  const std::uint64_t together = static_cast<std::uint64_t>(e.length) * size | static_cast<std::uint64_t>(e.left) * size |
                                 static_cast<std::uint64_t>(e.right) * size | reinterpret_cast<std::uintptr_t>(image) |
                                 reinterpret_cast<std::uintptr_t>(padded) | 16;
  return std::size_t{1} << std::countr_zero(together);  // the lowest bit that any of them has: it divides all
}

}  // namespace detbench
