#include "models/reference_layers.hpp"

#include <algorithm>
#include <cmath>

namespace detbench::reference {
namespace {

/// Below this many multiplications waking threads costs more than they save.
bool is_large(const Layer& l, std::int64_t batch) {
  return batch * l.out.height * l.out.width * l.out.channels * l.window.kernel * l.window.kernel * l.in.channels / l.window.groups > 4'000'000;
}

/// Calls tap(output pixel, input pixel, r, s) for every tap inside the image.
template <class Tap>
void for_taps(const Layer& l, std::int64_t n, Tap tap) {
  const auto& w = l.window;
  for (std::int64_t p = 0; p < l.out.height; ++p)
    for (std::int64_t q = 0; q < l.out.width; ++q)
      for (std::int64_t r = 0; r < w.kernel; ++r)
        for (std::int64_t s = 0; s < w.kernel; ++s) {
          const std::int64_t h = p * w.stride - w.top + r, v = q * w.stride - w.left + s;
          if (h < 0 || h >= l.in.height || v < 0 || v >= l.in.width) continue;
          tap((n * l.out.height + p) * l.out.width + q, (n * l.in.height + h) * l.in.width + v, r, s);
        }
}

/// Weights (G,K,R,S,C) as rows over which the inner loops run: by tap, then input channel of the group, then output
/// channel; for a depthwise layer by tap, then channel. So no loop sums along its vector.
struct Rows {
  explicit Rows(const Layer& l)
      : k(l.out.channels / l.window.groups), c(l.in.channels / l.window.groups), window(l.window.kernel), groups(l.window.groups), depthwise(k == 1 && c == 1) {}
  std::size_t source(std::int64_t g, std::int64_t ki, std::int64_t r, std::int64_t s, std::int64_t ci) const { return (((g * k + ki) * window + r) * window + s) * c + ci; }
  std::size_t row(std::int64_t g, std::int64_t r, std::int64_t s, std::int64_t ci) const {
    const std::int64_t tap = r * window + s;
    return depthwise ? tap * groups + g : ((g * window * window + tap) * c + ci) * k;
  }
  template <class Visit>
  void visit(Visit v) const {
    for (std::int64_t g = 0; g < groups; ++g)
      for (std::int64_t ki = 0; ki < k; ++ki)
        for (std::int64_t r = 0; r < window; ++r)
          for (std::int64_t s = 0; s < window; ++s)
            for (std::int64_t ci = 0; ci < c; ++ci) v(source(g, ki, r, s, ci), row(g, r, s, ci) + ki);
  }
  std::int64_t k, c, window, groups;
  bool depthwise;
};

Values as_rows(const Rows& rows, const Values& weights) {
  Values out(weights.size());
  rows.visit([&](std::size_t from, std::size_t to) { out[to] = weights[from]; });
  return out;
}

}  // namespace

void convolve(const Layer& l, std::int64_t batch, const Values& x, const Values& weights, Values& y) {
  const Rows g(l);
  const Values w = as_rows(g, weights);
  std::fill(y.begin(), y.end(), 0.0);
#pragma omp parallel for schedule(static) if (is_large(l, batch))
  for (std::int64_t n = 0; n < batch; ++n)
    for_taps(l, n, [&](std::int64_t out, std::int64_t in, std::int64_t r, std::int64_t s) {
      const double* xp = &x[in * l.in.channels];
      double* yp = &y[out * l.out.channels];
      if (g.depthwise) {
        const double* wp = &w[g.row(0, r, s, 0)];
        for (std::int64_t i = 0; i < g.groups; ++i) yp[i] += xp[i] * wp[i];
        return;
      }
      for (std::int64_t i = 0; i < g.groups; ++i)
        for (std::int64_t c = 0; c < g.c; ++c) {
          const double value = xp[i * g.c + c];
          const double* wp = &w[g.row(i, r, s, c)];
          for (std::int64_t k = 0; k < g.k; ++k) yp[i * g.k + k] += value * wp[k];
        }
    });
}

void convolve_backward(const Layer& l, std::int64_t batch, const Values& x, const Values& weights, const Values& dy, Values& dweights, Values* dx) {
  const Rows g(l);
  const Values w = as_rows(g, weights);
  std::vector<Values> parts(batch, Values(w.size(), 0.0));  // by image, so that threads do not meet
#pragma omp parallel for schedule(static) if (is_large(l, batch))
  for (std::int64_t n = 0; n < batch; ++n)
    for_taps(l, n, [&](std::int64_t out, std::int64_t in, std::int64_t r, std::int64_t s) {
      const double *xp = &x[in * l.in.channels], *dp = &dy[out * l.out.channels];
      double* xd = dx ? &(*dx)[in * l.in.channels] : nullptr;
      if (g.depthwise) {
        const std::size_t at = g.row(0, r, s, 0);
        for (std::int64_t i = 0; i < g.groups; ++i) parts[n][at + i] += dp[i] * xp[i];
        if (xd)
          for (std::int64_t i = 0; i < g.groups; ++i) xd[i] += dp[i] * w[at + i];
        return;
      }
      for (std::int64_t i = 0; i < g.groups; ++i)
        for (std::int64_t c = 0; c < g.c; ++c) {
          const std::size_t at = g.row(i, r, s, c);
          const double value = xp[i * g.c + c];
          double sum = 0;
          for (std::int64_t k = 0; k < g.k; ++k) parts[n][at + k] += value * dp[i * g.k + k];
          if (!xd) continue;
          for (std::int64_t k = 0; k < g.k; ++k) sum += w[at + k] * dp[i * g.k + k];
          xd[i * g.c + c] += sum;
        }
    });
  for (std::int64_t n = 1; n < batch; ++n)
    for (std::size_t j = 0; j < parts[0].size(); ++j) parts[0][j] += parts[n][j];
  dweights.resize(w.size());
  g.visit([&](std::size_t to, std::size_t from) { dweights[to] = parts[0][from]; });
}

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::relu: return std::max(x, 0.0);
    case Activation::relu6: return std::clamp(x, 0.0, 6.0);
    case Activation::swish: return x / (1 + std::exp(-x));
    case Activation::sigmoid: return 1 / (1 + std::exp(-x));
    case Activation::none: break;
  }
  return x;
}

double activation_slope(Activation activation, double x) {
  const double s = 1 / (1 + std::exp(-x));
  switch (activation) {
    case Activation::relu: return x > 0 ? 1 : 0;
    case Activation::relu6: return x > 0 && x < 6 ? 1 : 0;
    case Activation::swish: return s + x * s * (1 - s);
    case Activation::sigmoid: return s * (1 - s);
    case Activation::none: break;
  }
  return 1;
}

std::vector<std::size_t> max_pool_winners(const Layer& l, std::int64_t batch, const Values& x) {
  std::vector<std::size_t> winners;
  const auto& w = l.window;
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t p = 0; p < l.out.height; ++p)
      for (std::int64_t q = 0; q < l.out.width; ++q)
        for (std::int64_t c = 0; c < l.out.channels; ++c) {
          const auto at = [&](std::int64_t r, std::int64_t s) {
            return static_cast<std::size_t>(((n * l.in.height + p * w.stride + r) * l.in.width + q * w.stride + s) * l.in.channels + c);
          };
          std::size_t best = at(0, 0);
          for (std::int64_t r = 0; r < w.kernel; ++r)
            for (std::int64_t s = 0; s < w.kernel; ++s)
              if (x[at(r, s)] > x[best]) best = at(r, s);  // of equals the first one stays
          winners.push_back(best);
        }
  return winners;
}

}  // namespace detbench::reference
