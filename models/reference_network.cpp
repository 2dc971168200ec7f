#include "models/reference_network.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/normalization/batch_norm.hpp"
#include "kernels/tensor/philox.hpp"
#include "models/reference_layers.hpp"

namespace detbench {
namespace {

using Values = std::vector<double>;
using namespace reference;

const double epsilon = static_cast<double>(batch_norm_epsilon);

/// Calls fn(element, channel) over rows of channels.
template <class Visit>
void by_channel(std::size_t elements, std::int64_t channels, Visit fn) {
  for (std::size_t row = 0; row < elements; row += channels)
    for (std::int64_t c = 0; c < channels; ++c) fn(row + c, c);
}

}  // namespace

DropoutFactors dropout_factors(const Network& network, std::int64_t batch, const Seeds& seeds, std::int64_t step) {
  DropoutFactors all(network.layers.size());
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto& l = network.layers[i];
    if (l.kind != LayerKind::dropout || l.rate == 0) continue;
    const auto key = l.whole_samples ? stream_key(seeds.drop_connect, "drop_connect/" + l.name) : stream_key(seeds.dropout, "dropout/" + l.name);
    const auto threshold = static_cast<std::uint32_t>(l.rate * 0x1p32);
    const double kept = static_cast<double>(static_cast<float>(1.0 / (1.0 - l.rate)));
    const std::int64_t per_sample = l.out.height * l.out.width * l.out.channels;
    all[i].resize(batch * per_sample);
    for (std::int64_t e = 0; e < batch * per_sample; ++e) {
      const auto at = static_cast<std::uint64_t>(l.whole_samples ? e / per_sample : e);
      all[i][e] = philox4x32(at / 4, static_cast<std::uint32_t>(step), 0, key).w[at % 4] < threshold ? 0 : kept;
    }
  }
  return all;
}

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

void ReferenceNetwork::forward(const std::vector<Values>& parameters, const std::vector<Values>* moving) {
  std::size_t norm = 0;
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const auto& l = network_.layers[i];
    const auto& x = tensors_[l.inputs[0]];
    auto& y = tensors_[i + 1];
    const int p = first_parameter_[i];
    const std::int64_t channels = l.in.channels;
    const auto each = [&](auto value_of) {
      for (std::size_t j = 0; j < y.size(); ++j) y[j] = value_of(j);
    };
    switch (l.kind) {
      case LayerKind::rescaling: each([&](std::size_t j) { return x[j] * l.scale + l.offset; }); break;
      case LayerKind::normalization:  // (x - 0) / sqrt(1)
      case LayerKind::flatten: y = x; break;
      case LayerKind::convolution:
        convolve(l, batch_, x, parameters[p], y);
        if (l.bias) by_channel(y.size(), l.out.channels, [&](std::size_t j, std::int64_t c) { y[j] += parameters[p + 1][c]; });
        break;
      case LayerKind::batch_norm:
        forward_batch_norm(i, parameters[p], parameters[p + 1], moving ? &(*moving)[2 * norm] : nullptr);
        ++norm;
        break;
      case LayerKind::activation: each([&](std::size_t j) { return activate(l.activation, x[j]); }); break;
      case LayerKind::add: each([&](std::size_t j) { return x[j] + tensors_[l.inputs[1]][j]; }); break;
      case LayerKind::scale_channels: {
        const auto& s = tensors_[l.inputs[1]];
        const std::int64_t sample = l.in.height * l.in.width * channels;
        each([&](std::size_t j) { return x[j] * s[static_cast<std::int64_t>(j) / sample * channels + static_cast<std::int64_t>(j) % channels]; });
        break;
      }
      case LayerKind::global_avg_pool: {
        const std::int64_t plane = l.in.height * l.in.width;
        std::fill(y.begin(), y.end(), 0.0);
        for (std::size_t j = 0; j < x.size(); ++j) y[static_cast<std::int64_t>(j) / (plane * channels) * channels + j % channels] += x[j] / static_cast<double>(plane);
        break;
      }
      case LayerKind::max_pool: {
        const auto winners = max_pool_winners(l, batch_, x);
        each([&](std::size_t j) { return x[winners[j]]; });
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
      case LayerKind::dropout: {
        const bool drops = !moving && i < factors_.size() && !factors_[i].empty();
        each([&](std::size_t j) { return drops ? x[j] * factors_[i][j] : x[j]; });
        break;
      }
      case LayerKind::softmax_cross_entropy: forward_loss(i); break;
    }
  }
}

void ReferenceNetwork::forward_batch_norm(std::size_t i, const Values& gamma, const Values& beta, const Values* moving) {
  const auto& l = network_.layers[i];
  const auto& x = tensors_[l.inputs[0]];
  auto& y = tensors_[i + 1];
  const std::int64_t channels = l.in.channels;
  const auto m = static_cast<double>(x.size() / channels);
  Values mean(channels), variance(channels);
  if (moving) {
    mean = moving[0], variance = moving[1];
  } else {
    by_channel(x.size(), channels, [&](std::size_t j, std::int64_t c) { mean[c] += x[j] / m; });
    by_channel(x.size(), channels, [&](std::size_t j, std::int64_t c) { variance[c] += (x[j] - mean[c]) * (x[j] - mean[c]) / m; });
  }
  by_channel(x.size(), channels, [&](std::size_t j, std::int64_t c) {
    y[j] = activate(l.activation, (x[j] - mean[c]) / std::sqrt(variance[c] + epsilon) * gamma[c] + beta[c]);
  });
  if (!moving) means_[i] = std::move(mean), variances_[i] = std::move(variance);
}

void ReferenceNetwork::forward_loss(std::size_t i) {
  const auto& l = network_.layers[i];
  const std::int64_t classes = l.in.channels;
  softmax_ = tensors_[l.inputs[0]];
  loss_ = 0;
  for (std::int64_t n = 0; n < batch_; ++n) {
    double* row = &softmax_[n * classes];
    const double top = *std::max_element(row, row + classes);
    double sum = 0, asked = 0;
    for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - top);
    // The targets are (1 - s) at the label and s / classes everywhere; they sum to 1.
    for (std::int64_t k = 0; k < classes; ++k) asked += (row[k] - top) * (smoothing_ / static_cast<double>(classes) + (k == labels_[n] ? 1 - smoothing_ : 0));
    loss_ += (std::log(sum) - asked) / static_cast<double>(batch_);
    for (std::int64_t k = 0; k < classes; ++k) row[k] = std::exp(row[k] - top) / sum;
  }
  tensors_[i + 1].assign(1, loss_);
}

double ReferenceNetwork::loss(const std::vector<Values>& parameters) {
  forward(parameters);
  return loss_;
}

const Values& ReferenceNetwork::logits(const ReferenceState& state) {
  forward(state.parameters, &state.moving);
  return tensors_[network_.layers.back().inputs[0]];
}

void ReferenceNetwork::backward_batch_norm(std::size_t i, const Values& gamma, const Values& beta, const Values& dy, Values& dgamma, Values& dbeta, Values* dx) {
  const auto& l = network_.layers[i];
  const auto& x = tensors_[l.inputs[0]];
  const std::int64_t channels = l.in.channels;
  const auto m = static_cast<double>(x.size() / channels);
  dgamma.assign(channels, 0.0), dbeta.assign(channels, 0.0);
  Values deviation(channels), d(x.size());
  for (std::int64_t c = 0; c < channels; ++c) deviation[c] = std::sqrt(variances_[i][c] + epsilon);
  const auto hat = [&](std::size_t j, std::int64_t c) { return (x[j] - means_[i][c]) / deviation[c]; };
  by_channel(x.size(), channels, [&](std::size_t j, std::int64_t c) {
    d[j] = dy[j] * activation_slope(l.activation, hat(j, c) * gamma[c] + beta[c]);
    dgamma[c] += d[j] * hat(j, c), dbeta[c] += d[j];
  });
  if (!dx) return;
  by_channel(x.size(), channels, [&](std::size_t j, std::int64_t c) {
    (*dx)[j] += gamma[c] / deviation[c] / m * (m * d[j] - dbeta[c] - hat(j, c) * dgamma[c]);
  });
}

double ReferenceNetwork::gradients(const std::vector<Values>& parameters, std::vector<Values>& gradients) {
  forward(parameters);
  gradients.assign(parameters.size(), {});
  // Made when something first adds to it, given back when its layer is done: all at once would double the memory.
  std::vector<Values> diff(tensors_.size());
  for (std::size_t i = network_.layers.size(); i-- > 0;) {
    const auto& l = network_.layers[i];
    if (!network_.needs_gradient(static_cast<int>(i) + 1)) continue;
    const auto& x = tensors_[l.inputs[0]];
    const Values dy = std::move(diff[i + 1]);
    const auto gradient_of = [&](int tensor) -> Values* {
      if (!network_.needs_gradient(tensor)) return nullptr;
      if (diff[tensor].empty()) diff[tensor].assign(tensors_[tensor].size(), 0.0);
      return &diff[tensor];
    };
    Values* dx = gradient_of(l.inputs[0]);
    const int p = first_parameter_[i];
    const std::int64_t channels = l.in.channels;
    const auto each = [&](auto value_of) {
      for (std::size_t j = 0; dx && j < dx->size(); ++j) (*dx)[j] += value_of(j);
    };
    switch (l.kind) {
      case LayerKind::rescaling: each([&](std::size_t j) { return dy[j] * l.scale; }); break;
      case LayerKind::normalization:
      case LayerKind::flatten: each([&](std::size_t j) { return dy[j]; }); break;
      case LayerKind::convolution:
        convolve_backward(l, batch_, x, parameters[p], dy, gradients[p], dx);
        if (l.bias) {
          gradients[p + 1].assign(parameters[p + 1].size(), 0.0);
          by_channel(dy.size(), l.out.channels, [&](std::size_t j, std::int64_t c) { gradients[p + 1][c] += dy[j]; });
        }
        break;
      case LayerKind::batch_norm: backward_batch_norm(i, parameters[p], parameters[p + 1], dy, gradients[p], gradients[p + 1], dx); break;
      case LayerKind::activation: each([&](std::size_t j) { return dy[j] * activation_slope(l.activation, x[j]); }); break;
      case LayerKind::add:
        for (const int input : l.inputs)
          if (Values* to = gradient_of(input))
            for (std::size_t j = 0; j < dy.size(); ++j) (*to)[j] += dy[j];
        break;
      case LayerKind::scale_channels: {
        const auto& s = tensors_[l.inputs[1]];
        Values* ds = gradient_of(l.inputs[1]);
        const std::int64_t sample = l.in.height * l.in.width * channels;
        for (std::size_t j = 0; j < dy.size(); ++j) {
          const std::int64_t at = static_cast<std::int64_t>(j) / sample * channels + static_cast<std::int64_t>(j) % channels;
          if (dx) (*dx)[j] += dy[j] * s[at];
          if (ds) (*ds)[at] += dy[j] * x[j];
        }
        break;
      }
      case LayerKind::global_avg_pool: {
        const std::int64_t plane = l.in.height * l.in.width;
        each([&](std::size_t j) { return dy[static_cast<std::int64_t>(j) / (plane * channels) * channels + j % channels] / static_cast<double>(plane); });
        break;
      }
      case LayerKind::max_pool: {
        const auto winners = max_pool_winners(l, batch_, x);
        for (std::size_t j = 0; dx && j < dy.size(); ++j) (*dx)[winners[j]] += dy[j];
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
              if (dx) (*dx)[n * channels + c] += d * parameters[p][k * channels + c];
            }
          }
        break;
      case LayerKind::dropout: {
        const bool drops = i < factors_.size() && !factors_[i].empty();
        each([&](std::size_t j) { return drops ? dy[j] * factors_[i][j] : dy[j]; });
        break;
      }
      case LayerKind::softmax_cross_entropy:
        each([&](std::size_t j) {
          const auto n = static_cast<std::int64_t>(j) / channels, k = static_cast<std::int64_t>(j) % channels;
          return (softmax_[j] - smoothing_ / static_cast<double>(channels) - (k == labels_[n] ? 1 - smoothing_ : 0)) / static_cast<double>(batch_);
        });
        break;
    }
  }
  return loss_;
}

}  // namespace detbench
