#include "models/reference_network.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/normalization/batch_norm.hpp"

namespace detbench {
namespace {

using Values = std::vector<double>;

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

const double epsilon = static_cast<double>(batch_norm_epsilon);

}  // namespace

ReferenceNetwork::ReferenceNetwork(const Network& network, std::int64_t batch, Values images, std::vector<std::int32_t> labels)
    : network_(network), batch_(batch), labels_(std::move(labels)) {
  tensors_.resize(network_.layers.size() + 1);
  means_.resize(network_.layers.size()), variances_.resize(network_.layers.size());
  tensors_[0] = std::move(images);
  for (std::size_t i = 0; i < network_.layers.size(); ++i) tensors_[i + 1].resize(count(network_.layers[i].out));
  first_parameter_.assign(network_.layers.size(), -1);
  const auto parameters = network_.parameters();
  for (std::size_t p = parameters.size(); p-- > 0;) first_parameter_[parameters[p].layer] = static_cast<int>(p);
}

void ReferenceNetwork::forward(const std::vector<Values>& parameters) {
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const auto& l = network_.layers[i];
    const auto& x = tensors_[l.inputs[0]];
    auto& y = tensors_[i + 1];
    const int p = first_parameter_[i];
    const std::int64_t channels = l.in.channels;
    switch (l.kind) {
      case LayerKind::convolution: convolve(l, batch_, x, parameters[p], y); break;
      case LayerKind::batch_norm: {
        const auto m = static_cast<double>(x.size() / channels);
        Values mean(channels), variance(channels);
        const auto by_channel = [&](auto fn) {
          for (std::size_t row = 0; row < x.size(); row += channels)
            for (std::int64_t c = 0; c < channels; ++c) fn(row + c, c);
        };
        by_channel([&](std::size_t j, std::int64_t c) { mean[c] += x[j] / m; });
        by_channel([&](std::size_t j, std::int64_t c) { variance[c] += (x[j] - mean[c]) * (x[j] - mean[c]) / m; });
        Values deviation(channels);
        for (std::int64_t c = 0; c < channels; ++c) deviation[c] = std::sqrt(variance[c] + epsilon);
        by_channel([&](std::size_t j, std::int64_t c) {
          const double value = (x[j] - mean[c]) / deviation[c] * parameters[p][c] + parameters[p + 1][c];
          y[j] = (l.activation == Activation::relu6) ? std::clamp(value, 0.0, 6.0) : value;
        });
        means_[i] = std::move(mean), variances_[i] = std::move(variance);
        break;
      }
      case LayerKind::add:
        for (std::size_t j = 0; j < y.size(); ++j) y[j] = x[j] + tensors_[l.inputs[1]][j];
        break;
      case LayerKind::global_avg_pool: {
        const std::int64_t plane = l.in.height * l.in.width;
        std::fill(y.begin(), y.end(), 0.0);
        for (std::size_t j = 0; j < x.size(); ++j) y[static_cast<std::int64_t>(j) / (plane * channels) * channels + j % channels] += x[j] / static_cast<double>(plane);
        break;
      }
      case LayerKind::dense:
        for (std::int64_t n = 0; n < batch_; ++n)
          for (std::int64_t k = 0; k < l.out.channels; ++k) {
            double sum = parameters[p + 1][k];
            for (std::int64_t c = 0; c < channels; ++c) sum += x[n * channels + c] * parameters[p][k * channels + c];
            y[n * l.out.channels + k] = sum;
          }
        break;
      case LayerKind::softmax_cross_entropy: {
        softmax_ = x;
        loss_ = 0;
        for (std::int64_t n = 0; n < batch_; ++n) {
          double* row = &softmax_[n * channels];
          const double top = *std::max_element(row, row + channels), at_label = row[labels_[n]];
          double sum = 0;
          for (std::int64_t k = 0; k < channels; ++k) sum += row[k] = std::exp(row[k] - top);
          for (std::int64_t k = 0; k < channels; ++k) row[k] /= sum;
          loss_ += (std::log(sum) - (at_label - top)) / static_cast<double>(batch_);
        }
        break;
      }
    }
  }
}

double ReferenceNetwork::loss(const std::vector<Values>& parameters) {
  forward(parameters);
  return loss_;
}

double ReferenceNetwork::gradients(const std::vector<Values>& parameters, std::vector<Values>& gradients) {
  forward(parameters);
  gradients.assign(parameters.size(), {});
  std::vector<Values> diff(tensors_.size());
  for (std::size_t t = 0; t < diff.size(); ++t) diff[t].assign(tensors_[t].size(), 0.0);
  for (std::size_t i = network_.layers.size(); i-- > 0;) {
    const auto& l = network_.layers[i];
    const auto &x = tensors_[l.inputs[0]], &dy = diff[i + 1];
    auto& dx = diff[l.inputs[0]];
    const int p = first_parameter_[i];
    const std::int64_t channels = l.in.channels;
    switch (l.kind) {
      case LayerKind::convolution: convolve_backward(l, batch_, x, parameters[p], dy, gradients[p], l.inputs[0] == 0 ? nullptr : &dx); break;
      case LayerKind::batch_norm: {
        const auto m = static_cast<double>(x.size() / channels);
        const auto &gamma = parameters[p], &beta = parameters[p + 1];
        auto &dgamma = gradients[p], &dbeta = gradients[p + 1];
        dgamma.assign(channels, 0.0), dbeta.assign(channels, 0.0);
        Values deviation(channels);
        for (std::int64_t c = 0; c < channels; ++c) deviation[c] = std::sqrt(variances_[i][c] + epsilon);
        const auto hat = [&](std::size_t j, std::int64_t c) { return (x[j] - means_[i][c]) / deviation[c]; };
        const auto d = [&](std::size_t j, std::int64_t c) {
          if (l.activation != Activation::relu6) return dy[j];
          const double y = hat(j, c) * gamma[c] + beta[c];
          return y > 0 && y < 6 ? dy[j] : 0.0;
        };
        for (std::size_t row = 0; row < x.size(); row += channels)
          for (std::int64_t c = 0; c < channels; ++c) dgamma[c] += d(row + c, c) * hat(row + c, c), dbeta[c] += d(row + c, c);
        for (std::size_t row = 0; row < x.size(); row += channels)
          for (std::int64_t c = 0; c < channels; ++c)
            dx[row + c] += gamma[c] / deviation[c] / m * (m * d(row + c, c) - dbeta[c] - hat(row + c, c) * dgamma[c]);
        break;
      }
      case LayerKind::add:
        for (int input : l.inputs)
          for (std::size_t j = 0; j < dy.size(); ++j) diff[input][j] += dy[j];
        break;
      case LayerKind::global_avg_pool: {
        const std::int64_t plane = l.in.height * l.in.width;
        for (std::size_t j = 0; j < x.size(); ++j) dx[j] += dy[static_cast<std::int64_t>(j) / (plane * channels) * channels + j % channels] / static_cast<double>(plane);
        break;
      }
      case LayerKind::dense:
        gradients[p].assign(parameters[p].size(), 0.0), gradients[p + 1].assign(parameters[p + 1].size(), 0.0);
        for (std::int64_t n = 0; n < batch_; ++n)
          for (std::int64_t k = 0; k < l.out.channels; ++k) {
            const double d = dy[n * l.out.channels + k];
            gradients[p + 1][k] += d;
            for (std::int64_t c = 0; c < channels; ++c) {
              gradients[p][k * channels + c] += d * x[n * channels + c];
              dx[n * channels + c] += d * parameters[p][k * channels + c];
            }
          }
        break;
      case LayerKind::softmax_cross_entropy:
        for (std::int64_t n = 0; n < batch_; ++n)
          for (std::int64_t k = 0; k < channels; ++k)
            dx[n * channels + k] += (softmax_[n * channels + k] - (k == labels_[n] ? 1 : 0)) / static_cast<double>(batch_);
        break;
    }
  }
  return loss_;
}

ReferenceState ReferenceNetwork::initial_state(std::vector<Values> parameters) const {
  ReferenceState state;
  for (const auto& p : parameters) state.velocities.emplace_back(p.size(), 0.0);
  state.parameters = std::move(parameters);
  for (const auto& l : network_.layers)
    if (l.kind == LayerKind::batch_norm) state.moving.emplace_back(l.out.channels, 0.0), state.moving.emplace_back(l.out.channels, 1.0);
  return state;
}

void ReferenceNetwork::step(ReferenceState& state, const SgdRates& rates) {
  std::vector<Values> g;
  state.loss = gradients(state.parameters, g);
  for (std::size_t p = 0; p < g.size(); ++p)
    for (std::size_t j = 0; j < g[p].size(); ++j) {
      auto& v = state.velocities[p][j];
      v = v * rates.momentum - g[p][j] * rates.learning_rate;
      state.parameters[p][j] += v;
    }
  std::size_t m = 0;
  for (std::size_t i = 0; i < network_.layers.size(); ++i)
    if (network_.layers[i].kind == LayerKind::batch_norm)
      for (const auto* batch : {&means_[i], &variances_[i]}) {
        auto& moving = state.moving[m++];
        for (std::size_t c = 0; c < moving.size(); ++c) moving[c] = moving[c] * network_.momentum + (*batch)[c] * (1 - network_.momentum);
      }
}

}  // namespace detbench
