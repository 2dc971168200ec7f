// Pooling over windows on the CPU: for one row of windows, one position within the window after another, so that the inner
// loop goes along the row and vectorizes in either layout. Each element sees its terms in the order of windows.hpp, whatever
// the number of threads: for a window that is row-major over its positions; for a pixel, windows to the right come later, in
// which it lies further left, so positions go from right to left.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

/// Calls f(image, row) for every row, rows shared out among the threads.
template <class F>
void for_rows(std::int64_t images, std::int32_t rows, F&& f) {
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < images * rows; ++task) f(task / rows, static_cast<std::int32_t>(task % rows));
}

const float* pixels_at(const Windows& w, const float* x, std::int64_t n, std::int32_t y) { return x + (n * w.ih + y) * w.iw * w.channels; }
template <class T>
T* outputs_at(const Windows& w, T* y, std::int64_t n, std::int32_t row) {
  return y + (n * w.oh + row) * w.ow * w.channels;
}

/// Calls f(pixel, output) for every window of a row whose position `s` lies inside the image: indices of elements within the row
/// of pixels and the row of outputs.
template <class F>
[[gnu::always_inline]] inline void along_row(const Windows& w, std::int32_t s, F&& f) {
  const std::int32_t shift = s - w.pl;  // pixel = window * sw + shift
  const std::int32_t first = shift < 0 ? (-shift + w.sw - 1) / w.sw : 0;
  const std::int32_t last = std::min(w.ow, w.iw - 1 - shift >= 0 ? (w.iw - 1 - shift) / w.sw + 1 : 0);
  if (w.channels == 1) {  // planes: strides that a compiler knows vectorize
    if (w.sw == 1)
      for (std::int64_t o = first; o < last; ++o) f(o + shift, o);
    else if (w.sw == 2)
      for (std::int64_t o = first; o < last; ++o) f(o * 2 + shift, o);
    else
      for (std::int64_t o = first; o < last; ++o) f(o * w.sw + shift, o);
    return;
  }
  for (std::int32_t o = first; o < last; ++o) {
    const std::int64_t pixel = (std::int64_t{o} * w.sw + shift) * w.channels, output = std::int64_t{o} * w.channels;
    for (std::int64_t c = 0; c < w.channels; ++c) f(pixel + c, output + c);
  }
}

void max_forward(const Windows& w, const float* x, float* y, WindowPosition* winners) {
  const auto elements = static_cast<std::size_t>(w.ow * w.channels);
  for_rows(w.images, w.oh, [&](std::int64_t n, std::int32_t row) {
    // What nothing beats: the first position that exists, should every pixel be minus infinity.
    std::vector<float> best(elements, -std::numeric_limits<float>::infinity());
    std::vector<std::int32_t> winner(elements);
    const Range rows = pixels_of(row, w.sh, w.pt, w.kh, w.ih);
    for (std::int32_t o = 0; o < w.ow; ++o) {
      const std::int32_t column = pixels_of(o, w.sw, w.pl, w.kw, w.iw).first - (o * w.sw - w.pl);
      std::fill_n(winner.begin() + o * w.channels, w.channels, (rows.first - (row * w.sh - w.pt)) * w.kw + column);
    }
    float* b = best.data();
    std::int32_t* won = winner.data();
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = 0; s < w.kw; ++s) {
        const float* pixels = pixels_at(w, x, n, r);
        const std::int32_t position = (r - (row * w.sh - w.pt)) * w.kw + s;
        along_row(w, s, [=](std::int64_t pixel, std::int64_t output) {
          const float value = pixels[pixel];
          const bool takes = beats(value, b[output]);
          b[output] = takes ? value : b[output];
          won[output] = takes ? position : won[output];
        });
      }
    if (y) std::copy(best.begin(), best.end(), outputs_at(w, y, n, row));
    if (winners) std::transform(winner.begin(), winner.end(), outputs_at(w, winners, n, row), [](std::int32_t v) { return static_cast<WindowPosition>(v); });
  });
}

void max_gather(const Windows& w, const WindowPosition* winners, const float* dy, float* dx) {
  for_rows(w.images, w.ih, [&](std::int64_t n, std::int32_t row) {
    float* sums = dx + (n * w.ih + row) * w.iw * w.channels;
    std::fill_n(sums, w.iw * w.channels, 0.0f);
    const Range rows = windows_over(row, w.sh, w.pt, w.kh, w.oh);
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = w.kw - 1; s >= 0; --s) {
        const WindowPosition* won = outputs_at(w, winners, n, r);
        const float* gradients = outputs_at(w, dy, n, r);
        const std::int32_t position = (row - (r * w.sh - w.pt)) * w.kw + s;
        // A sum that began at +0 is never -0, so adding +0 leaves it as it is.
        along_row(w, s, [=](std::int64_t pixel, std::int64_t output) {
          const float gradient = gradients[output];  // loaded whether or not it is won: a conditional load does not vectorize
          sums[pixel] += won[output] == position ? gradient : 0.0f;
        });
      }
  });
}

void average_forward(const Windows& w, const float* x, float* y) {
  for_rows(w.images, w.oh, [&](std::int64_t n, std::int32_t row) {
    float* sums = outputs_at(w, y, n, row);
    std::fill_n(sums, w.ow * w.channels, 0.0f);
    const Range rows = pixels_of(row, w.sh, w.pt, w.kh, w.ih);
    for (std::int32_t r = rows.first; r < rows.last; ++r)
      for (std::int32_t s = 0; s < w.kw; ++s) {
        const float* pixels = pixels_at(w, x, n, r);
        along_row(w, s, [=](std::int64_t pixel, std::int64_t output) { sums[output] += pixels[pixel]; });
      }
    for (std::int32_t o = 0; o < w.ow; ++o) {
      const float divisor = divisor_of(w, row, o);
      for (std::int64_t c = 0; c < w.channels; ++c) sums[o * w.channels + c] /= divisor;
    }
  });
}

void average_gather(const Windows& w, const float* dy, float* dx) {
  for_rows(w.images, w.ih, [&](std::int64_t n, std::int32_t row) {
    float* sums = dx + (n * w.ih + row) * w.iw * w.channels;
    std::fill_n(sums, w.iw * w.channels, 0.0f);
    std::vector<float> shares(static_cast<std::size_t>(w.ow * w.channels));
    const Range rows = windows_over(row, w.sh, w.pt, w.kh, w.oh);
    for (std::int32_t r = rows.first; r < rows.last; ++r) {
      const float* gradients = outputs_at(w, dy, n, r);
      for (std::int32_t o = 0; o < w.ow; ++o) {
        const float divisor = divisor_of(w, r, o);
        for (std::int64_t i = o * w.channels; i < (o + 1) * w.channels; ++i) shares[static_cast<std::size_t>(i)] = gradients[i] / divisor;
      }
      const float* share = shares.data();
      for (std::int32_t s = w.kw - 1; s >= 0; --s)
        along_row(w, s, [=](std::int64_t pixel, std::int64_t output) { sums[pixel] += share[output]; });
    }
  });
}

/// Order: each row of windows hands its gradients down in ascending order; rows that share pixels and fall to different
/// threads meet as those get through. dx starts at zero. Pixels of different rows and images never meet.
template <class RowOfWindows>
void scatter(const Windows& w, float* dx, RowOfWindows&& row_of_windows) {
  const std::int64_t elements = w.inputs();
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < elements; ++i) dx[i] = 0.0f;
#pragma omp for schedule(static)
    for (std::int64_t task = 0; task < w.images * w.oh; ++task) row_of_windows(task / w.oh, static_cast<std::int32_t>(task % w.oh));
  }
}

void max_scatter(const Windows& w, const WindowPosition* winners, const float* dy, float* dx) {
  scatter(w, dx, [&](std::int64_t n, std::int32_t row) {
    const WindowPosition* won = outputs_at(w, winners, n, row);
    const float* gradients = outputs_at(w, dy, n, row);
    for (std::int32_t o = 0; o < w.ow; ++o)
      for (std::int64_t c = 0; c < w.channels; ++c) {
        const std::int32_t position = won[o * w.channels + c];
        const std::int64_t pixel = (n * w.ih + row * w.sh - w.pt + position / w.kw) * w.iw + o * w.sw - w.pl + position % w.kw;
        const float gradient = gradients[o * w.channels + c];
#pragma omp atomic
        dx[pixel * w.channels + c] += gradient;
      }
  });
}

void average_scatter(const Windows& w, const float* dy, float* dx) {
  scatter(w, dx, [&](std::int64_t n, std::int32_t row) {
    const float* gradients = outputs_at(w, dy, n, row);
    const Range rows = pixels_of(row, w.sh, w.pt, w.kh, w.ih);
    for (std::int32_t o = 0; o < w.ow; ++o) {
      const Range columns = pixels_of(o, w.sw, w.pl, w.kw, w.iw);
      const float divisor = divisor_of(w, row, o);
      for (std::int64_t c = 0; c < w.channels; ++c) {
        const float share = gradients[o * w.channels + c] / divisor;
        for (std::int32_t r = rows.first; r < rows.last; ++r)
          for (std::int32_t s = columns.first; s < columns.last; ++s) {
#pragma omp atomic
            dx[((n * w.ih + r) * w.iw + s) * w.channels + c] += share;
          }
      }
    }
  });
}

const float* floats(const Tensor& tensor) { return static_cast<const float*>(tensor.region.data); }
float* writable(const Tensor& tensor) { return static_cast<float*>(tensor.region.data); }

}  // namespace

SimplePlanParts window_parts(const WindowProblem& problem, std::size_t workspace_bytes) {
  SimplePlanParts parts;
  parts.inputs = problem.plan_inputs(), parts.outputs = problem.plan_outputs();
  parts.workspace_bytes = workspace_bytes;
  parts.alignment_bytes = sizeof(float);  // element by element
  return parts;
}

std::size_t winners_bytes(const WindowProblem& problem) {
  return sizeof(WindowPosition) * static_cast<std::size_t>(problem.windows().outputs());
}

namespace {

/// A maximum's backward pass around the step from winners to gradient.
SimplePlanParts max_backward_parts(const WindowProblem& problem, Winners winners, void (*step)(const Windows&, const WindowPosition*, const float*, float*)) {
  SimplePlanParts parts = window_parts(problem, winners_bytes(problem));
  const auto find = [w = problem.windows()](std::span<const Tensor> in, Region workspace) {
    max_forward(w, floats(in[0]), nullptr, static_cast<WindowPosition*>(workspace.data));
  };
  if (winners == Winners::kept)
    parts.restore = [find](auto in, auto, Region workspace, void*) -> Status {
      find(in, workspace);
      return {};
    };
  parts.run = [w = problem.windows(), find, winners, step](auto in, auto out, Region workspace) {
    if (winners == Winners::found_again) find(in, workspace);
    step(w, static_cast<const WindowPosition*>(workspace.data), floats(in[1]), writable(out[0]));
  };
  return parts;
}

}  // namespace

Result<SimplePlanParts> cpu_window_parts(const WindowProblem& problem, Winners winners) {
  if (problem.op == WindowOp::max_backward) return max_backward_parts(problem, winners, max_gather);
  SimplePlanParts parts = window_parts(problem, 0);
  const Windows w = problem.windows();
  if (problem.op == WindowOp::max_forward)
    parts.run = [w](auto in, auto out, Region) { max_forward(w, floats(in[0]), writable(out[0]), nullptr); };
  else if (problem.op == WindowOp::average_forward)
    parts.run = [w](auto in, auto out, Region) { average_forward(w, floats(in[0]), writable(out[0])); };
  else
    parts.run = [w](auto in, auto out, Region) { average_gather(w, floats(in[0]), writable(out[0])); };
  return parts;
}

Result<SimplePlanParts> cpu_scatter_parts(const WindowProblem& problem, Winners winners) {
  if (!is_backward(problem.op)) return unsupported("a forward pass adds nothing up across windows");
  if (problem.op == WindowOp::max_backward) return max_backward_parts(problem, winners, max_scatter);
  SimplePlanParts parts = window_parts(problem, 0);
  parts.run = [w = problem.windows()](auto in, auto out, Region) { average_scatter(w, floats(in[0]), writable(out[0])); };
  return parts;
}

}  // namespace detbench::pooling
