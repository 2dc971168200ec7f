// Pooling over windows on the CPU: a row of pixels at a time, channels innermost, so that loops vectorize. Each element
// sees its terms in the order of windows.hpp, whatever the number of threads.
#include <algorithm>
#include <vector>

#include "kernels/pooling/window_parts.hpp"

namespace detbench::pooling {
namespace {

struct Rows {
  const Windows& w;
  std::int64_t input(std::int64_t n, std::int32_t y, std::int32_t x) const { return ((n * w.ih + y) * w.iw + x) * w.channels; }
  std::int64_t output(std::int64_t n, std::int32_t y, std::int32_t x) const { return ((n * w.oh + y) * w.ow + x) * w.channels; }
};

/// Calls f(image, row) for every row, rows shared out among the threads.
template <class F>
void for_rows(std::int64_t images, std::int32_t rows, F&& f) {
#pragma omp parallel for schedule(static)
  for (std::int64_t task = 0; task < images * rows; ++task) f(task / rows, static_cast<std::int32_t>(task % rows));
}

void max_forward(const Windows& w, const float* x, float* y, WindowPosition* winners) {
  const Rows at{w};
  for_rows(w.images, w.oh, [&](std::int64_t n, std::int32_t row) {
    std::vector<float> best(static_cast<std::size_t>(w.channels));
    std::vector<WindowPosition> winner(static_cast<std::size_t>(w.channels));
    const Range rows = pixels_of(row, w.sh, w.pt, w.kh, w.ih);
    for (std::int32_t column = 0; column < w.ow; ++column) {
      const Range columns = pixels_of(column, w.sw, w.pl, w.kw, w.iw);
      bool first = true;
      for (std::int32_t r = rows.first; r < rows.last; ++r)
        for (std::int32_t s = columns.first; s < columns.last; ++s, first = false) {
          const float* pixel = x + at.input(n, r, s);
          const auto position = static_cast<WindowPosition>((r - (row * w.sh - w.pt)) * w.kw + (s - (column * w.sw - w.pl)));
          for (std::int64_t c = 0; c < w.channels; ++c) {
            const bool takes = first || beats(pixel[c], best[c]);
            best[c] = takes ? pixel[c] : best[c];
            winner[c] = takes ? position : winner[c];
          }
        }
      if (y) std::copy(best.begin(), best.end(), y + at.output(n, row, column));
      if (winners) std::copy(winner.begin(), winner.end(), winners + at.output(n, row, column));
    }
  });
}

void max_gather(const Windows& w, const WindowPosition* winners, const float* dy, float* dx) {
  const Rows at{w};
  for_rows(w.images, w.ih, [&](std::int64_t n, std::int32_t row) {
    const Range rows = windows_over(row, w.sh, w.pt, w.kh, w.oh);
    for (std::int32_t column = 0; column < w.iw; ++column) {
      const Range columns = windows_over(column, w.sw, w.pl, w.kw, w.ow);
      float* sum = dx + at.input(n, row, column);
      std::fill(sum, sum + w.channels, 0.0f);
      for (std::int32_t r = rows.first; r < rows.last; ++r)
        for (std::int32_t s = columns.first; s < columns.last; ++s) {
          const std::int64_t out = at.output(n, r, s);
          const int position = (row - (r * w.sh - w.pt)) * w.kw + (column - (s * w.sw - w.pl));
          for (std::int64_t c = 0; c < w.channels; ++c)
            if (winners[out + c] == position) sum[c] += dy[out + c];
        }
    }
  });
}

void average_forward(const Windows& w, const float* x, float* y) {
  const Rows at{w};
  for_rows(w.images, w.oh, [&](std::int64_t n, std::int32_t row) {
    const Range rows = pixels_of(row, w.sh, w.pt, w.kh, w.ih);
    for (std::int32_t column = 0; column < w.ow; ++column) {
      const Range columns = pixels_of(column, w.sw, w.pl, w.kw, w.iw);
      float* sum = y + at.output(n, row, column);
      std::fill(sum, sum + w.channels, 0.0f);
      for (std::int32_t r = rows.first; r < rows.last; ++r)
        for (std::int32_t s = columns.first; s < columns.last; ++s) {
          const float* pixel = x + at.input(n, r, s);
          for (std::int64_t c = 0; c < w.channels; ++c) sum[c] += pixel[c];
        }
      const float divisor = divisor_of(w, row, column);
      for (std::int64_t c = 0; c < w.channels; ++c) sum[c] /= divisor;
    }
  });
}

void average_gather(const Windows& w, const float* dy, float* dx) {
  const Rows at{w};
  for_rows(w.images, w.ih, [&](std::int64_t n, std::int32_t row) {
    const Range rows = windows_over(row, w.sh, w.pt, w.kh, w.oh);
    for (std::int32_t column = 0; column < w.iw; ++column) {
      const Range columns = windows_over(column, w.sw, w.pl, w.kw, w.ow);
      float* sum = dx + at.input(n, row, column);
      std::fill(sum, sum + w.channels, 0.0f);
      for (std::int32_t r = rows.first; r < rows.last; ++r)
        for (std::int32_t s = columns.first; s < columns.last; ++s) {
          const float* share = dy + at.output(n, r, s);
          const float divisor = divisor_of(w, r, s);
          for (std::int64_t c = 0; c < w.channels; ++c) sum[c] += share[c] / divisor;
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

Result<SimplePlanParts> cpu_window_parts(const WindowProblem& problem, Winners winners) {
  SimplePlanParts parts = window_parts(problem, 0);
  const Windows w = problem.windows();
  switch (problem.op) {
    case WindowOp::max_forward:
      parts.run = [w](auto in, auto out, Region) { max_forward(w, floats(in[0]), writable(out[0]), nullptr); };
      break;
    case WindowOp::average_forward:
      parts.run = [w](auto in, auto out, Region) { average_forward(w, floats(in[0]), writable(out[0])); };
      break;
    case WindowOp::average_backward:
      parts.run = [w](auto in, auto out, Region) { average_gather(w, floats(in[0]), writable(out[0])); };
      break;
    case WindowOp::max_backward:
      parts.workspace_bytes = winners_bytes(problem);
      const auto find = [w](std::span<const Tensor> in, Region workspace) { max_forward(w, floats(in[0]), nullptr, static_cast<WindowPosition*>(workspace.data)); };
      if (winners == Winners::kept)
        parts.restore = [find](auto in, auto, Region workspace, void*) -> Status {
          find(in, workspace);
          return {};
        };
      parts.run = [w, find, winners](auto in, auto out, Region workspace) {
        if (winners == Winners::found_again) find(in, workspace);
        max_gather(w, static_cast<const WindowPosition*>(workspace.data), floats(in[1]), writable(out[0]));
      };
      break;
  }
  return parts;
}

}  // namespace detbench::pooling
