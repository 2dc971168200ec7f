// Pooling over windows on a GPU: windows.hpp's functors, one thread per element.
#include "kernels/pooling/window_parts.hpp"
#include "kernels/simple_cuda.hpp"

namespace detbench::pooling {
namespace {

using simple_cuda::AtomicAdd;
using simple_cuda::enqueue_for_each;
using simple_cuda::enqueue_zero;

const float* floats(const Tensor& tensor) { return static_cast<const float*>(tensor.region.data); }
float* writable(const Tensor& tensor) { return static_cast<float*>(tensor.region.data); }

Status find_winners(const Windows& w, const Tensor& source, Region workspace, void* stream) {
  return enqueue_for_each(w.outputs(), MaxForward{w, floats(source), nullptr, static_cast<WindowPosition*>(workspace.data)}, stream);
}

/// A maximum's backward pass around the step from winners to gradient.
template <class Step>
SimplePlanParts max_backward_parts(const WindowProblem& problem, Winners winners, Step step) {
  SimplePlanParts parts = window_parts(problem, winners_bytes(problem));
  const Windows w = problem.windows();
  if (winners == Winners::kept)
    parts.restore = [w](auto in, auto, Region workspace, void* stream) { return find_winners(w, in[0], workspace, stream); };
  parts.launch = [w, winners, step](auto in, auto out, Region workspace, void* stream) -> Status {
    if (winners == Winners::found_again)
      if (auto s = find_winners(w, in[0], workspace, stream); !s) return s;
    return step(w, static_cast<const WindowPosition*>(workspace.data), floats(in[1]), out[0], stream);
  };
  return parts;
}

}  // namespace

Result<SimplePlanParts> cuda_window_parts(const WindowProblem& problem, Winners winners) {
  if (problem.op == WindowOp::max_backward)
    return max_backward_parts(problem, winners, [](const Windows& w, const WindowPosition* won, const float* dy, const Tensor& dx, void* stream) {
      return enqueue_for_each(w.inputs(), MaxGather{w, won, dy, writable(dx)}, stream);
    });
  SimplePlanParts parts = window_parts(problem, 0);
  const Windows w = problem.windows();
  if (problem.op == WindowOp::max_forward)
    parts.launch = [w](auto in, auto out, Region, void* stream) {
      return enqueue_for_each(w.outputs(), MaxForward{w, floats(in[0]), writable(out[0]), nullptr}, stream);
    };
  else if (problem.op == WindowOp::average_forward)
    parts.launch = [w](auto in, auto out, Region, void* stream) {
      return enqueue_for_each(w.outputs(), AverageForward{w, floats(in[0]), writable(out[0])}, stream);
    };
  else
    parts.launch = [w](auto in, auto out, Region, void* stream) {
      return enqueue_for_each(w.inputs(), AverageGather{w, floats(in[0]), writable(out[0])}, stream);
    };
  return parts;
}

Result<SimplePlanParts> cuda_scatter_parts(const WindowProblem& problem, Winners winners) {
  if (!is_backward(problem.op)) return unsupported("a forward pass adds nothing up across windows");
  if (problem.op == WindowOp::max_backward)
    return max_backward_parts(problem, winners, [](const Windows& w, const WindowPosition* won, const float* dy, const Tensor& dx, void* stream) -> Status {
      if (auto s = enqueue_zero(dx.region.data, dx.spec.bytes(), stream); !s) return s;
      return enqueue_for_each(w.outputs(), MaxScatter<AtomicAdd>{w, won, dy, writable(dx), {}}, stream);
    });
  SimplePlanParts parts = window_parts(problem, 0);
  parts.launch = [w = problem.windows()](auto in, auto out, Region, void* stream) -> Status {
    if (auto s = enqueue_zero(out[0].region.data, out[0].spec.bytes(), stream); !s) return s;
    return enqueue_for_each(w.outputs(), AverageScatter<AtomicAdd>{w, floats(in[0]), writable(out[0]), {}}, stream);
  };
  return parts;
}

}  // namespace detbench::pooling
