#include "models/activation_memory.hpp"

#include <algorithm>

namespace detbench {
namespace {

/// The same memory under another name.
bool is_view(const Layer& l) { return l.kind == LayerKind::flatten || l.kind == LayerKind::normalization; }

bool is_elementwise(const Layer& l) {
  switch (l.kind) {
    case LayerKind::rescaling:
    case LayerKind::batch_norm:
    case LayerKind::activation:
    case LayerKind::add:
    case LayerKind::scale_channels: return true;
    default: return false;
  }
}

/// Elements of a tensor per image.
std::int64_t elements(const Network& network, int tensor) {
  const auto& s = tensor == 0 ? network.image : network.layers[tensor - 1].out;
  return s.height * s.width * s.channels;
}

}  // namespace

std::int64_t training_activation_bytes(const Network& network, std::int64_t batch, std::int64_t bytes_per_element) {
  std::vector<bool> kept(network.layers.size() + 1);
  std::vector<int> memory_of(network.layers.size() + 1);
  std::int64_t statistics = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto& l = network.layers[i];
    memory_of[i + 1] = is_view(l) ? memory_of[l.inputs[0]] : static_cast<int>(i) + 1;
    switch (l.kind) {
      case LayerKind::batch_norm:
        statistics += 2 * l.out.channels * static_cast<std::int64_t>(sizeof(float));
        [[fallthrough]];
      case LayerKind::convolution:
      case LayerKind::dense:
      case LayerKind::activation:
      case LayerKind::max_pool:
      case LayerKind::scale_channels:
      case LayerKind::softmax_cross_entropy:
        for (const int input : l.inputs) kept[memory_of[input]] = true;
        break;
      default: break;
    }
  }
  std::int64_t sum = 0;
  for (std::size_t t = 0; t < kept.size(); ++t)
    if (kept[t]) sum += elements(network, static_cast<int>(t));
  return sum * batch * bytes_per_element + statistics;
}

std::int64_t inference_activation_bytes(const Network& network, std::int64_t batch, std::int64_t bytes_per_element) {
  const int layers = static_cast<int>(network.layers.size());
  // Of each piece of memory the elements and the last layer that reads it.
  std::vector<int> memory_of(layers + 1), last_reader(layers + 1, -1);
  for (int i = 0; i < layers; ++i) {
    const auto& l = network.layers[i];
    memory_of[i + 1] = is_view(l) || l.kind == LayerKind::dropout ? memory_of[l.inputs[0]] : i + 1;
    for (const int input : l.inputs) last_reader[memory_of[input]] = i;
  }
  std::vector<std::int64_t> size(layers + 1, 0);
  size[0] = elements(network, 0);
  std::int64_t alive = size[0], most = alive;
  for (int i = 0; i < layers; ++i) {
    const auto& l = network.layers[i];
    const int out = memory_of[i + 1];
    if (out == i + 1 && l.kind != LayerKind::softmax_cross_entropy) {
      // Written over the first input of the same size that nobody reads later.
      const auto place = std::find_if(l.inputs.begin(), l.inputs.end(), [&](int input) {
        const int memory = memory_of[input];
        return is_elementwise(l) && last_reader[memory] == i && elements(network, input) == elements(network, i + 1);
      });
      size[out] = elements(network, i + 1);
      if (place != l.inputs.end()) size[memory_of[*place]] = 0;
      else alive += size[out];
      most = std::max(most, alive);
    }
    for (const int input : l.inputs) {
      const int memory = memory_of[input];
      if (last_reader[memory] != i) continue;
      alive -= size[memory];
      size[memory] = 0;
    }
  }
  return most * batch * bytes_per_element;
}

}  // namespace detbench
