// Problems of pooling over windows: max_pool_fwd, max_pool_bwd, avg_pool_fwd, avg_pool_bwd.
#pragma once

#include <array>
#include <string_view>

#include "kernels/pooling/windows.hpp"
#include "kernels/op.hpp"

namespace detbench::pooling {

enum class WindowOp { max_forward, max_backward, average_forward, average_backward };
inline constexpr std::array all_window_ops{WindowOp::max_forward, WindowOp::max_backward, WindowOp::average_forward, WindowOp::average_backward};
std::string_view to_text(WindowOp op);
constexpr bool is_maximum(WindowOp op) { return op == WindowOp::max_forward || op == WindowOp::max_backward; }
constexpr bool is_backward(WindowOp op) { return op == WindowOp::max_backward || op == WindowOp::average_backward; }

struct WindowProblem {
  WindowOp op;
  std::int64_t images, channels;  ///< of the problem itself, whatever the layout
  std::int64_t ih, iw, oh, ow, kh, kw, sh, sw, pt, pb, pl, pr;
  bool counts_padding = false;
  std::string layout;  ///< nhwc or nchw

  Windows windows() const;
  TensorSpec input() const;   ///< src, or diff_src backward
  TensorSpec output() const;  ///< dst, or diff_dst backward
  TensorSpec source() const;  ///< src of a maximum's backward pass
  /// In the order of a plan's lists. Forward: src -> dst. Backward: average diff_dst -> diff_src; maximum src, diff_dst -> diff_src.
  std::vector<TensorSpec> plan_inputs() const, plan_outputs() const;
};

/// Refuses pads that reach the window's size (a window could lie in padding alone) and windows that do not fit.
Result<WindowProblem> parse_window_problem(const Problem& problem);
Problem problem_of(const WindowProblem& problem);

}  // namespace detbench::pooling
