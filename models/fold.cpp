#include "models/fold.hpp"

#include <cmath>
#include <map>

#include "kernels/normalization/batch_norm.hpp"
#include "kernels/result.hpp"

namespace detbench {

Result<FoldedNetwork> fold_batch_norm(const Network& network) {
  FoldedNetwork folded;
  folded.network = network;
  folded.network.name += "_folded";
  folded.network.layers.clear();
  std::vector<int> readers(network.layers.size() + 1, 0), moved(network.layers.size() + 1, 0);  // tensor -> tensor of the folded network
  for (const auto& l : network.layers)
    for (int input : l.inputs) ++readers[input];
  std::map<int, int> norm_of;  // convolution layer of the folded network -> batch norm of the old one
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    Layer l = network.layers[i];
    for (int& input : l.inputs) input = moved[input];
    if (l.kind != LayerKind::batch_norm) {
      folded.network.layers.push_back(std::move(l));
      moved[i + 1] = static_cast<int>(folded.network.layers.size());
      continue;
    }
    const int before = network.layers[i].inputs[0];
    const bool fits = before > 0 && network.layers[before - 1].kind == LayerKind::convolution && !network.layers[before - 1].bias && readers[before] == 1;
    if (!fits) return unsupported(network.name + " " + l.name + ": only a batch norm behind a convolution of its own can be folded");
    auto& convolution = folded.network.layers[l.inputs[0] - 1];
    convolution.bias = true;
    norm_of[l.inputs[0] - 1] = static_cast<int>(i);
    if (l.activation != Activation::none) {
      l.kind = LayerKind::activation;
      folded.network.layers.push_back(std::move(l));
      moved[i + 1] = static_cast<int>(folded.network.layers.size());
    } else {
      moved[i + 1] = l.inputs[0];
    }
  }
  const auto old = network.parameters();
  std::map<std::string, int> by_name;
  std::map<int, int> gamma_of, mean_of;  // by batch norm
  for (std::size_t p = 0; p < old.size(); ++p) {
    by_name[old[p].name] = static_cast<int>(p);
    if (old[p].role == "gamma") gamma_of[old[p].layer] = static_cast<int>(p);
  }
  int norms = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i)
    if (network.layers[i].kind == LayerKind::batch_norm) mean_of[static_cast<int>(i)] = 2 * norms++;
  for (const auto& p : folded.network.parameters()) {
    const auto norm = norm_of.find(p.layer);
    if (norm == norm_of.end()) {
      folded.parameters.push_back({by_name.at(p.name), -1, -1, false});
      continue;
    }
    const std::string kernel = folded.network.layers[p.layer].name + "/kernel";
    folded.parameters.push_back({by_name.at(kernel), gamma_of.at(norm->second), mean_of.at(norm->second), p.role == "bias"});
  }
  return folded;
}

std::vector<float> folded_values(const FoldedNetwork& folded, std::size_t parameter, std::span<const std::vector<float>> parameters,
                                 std::span<const std::vector<float>> moving) {
  const auto& from = folded.parameters[parameter];
  std::vector<float> values = parameters[from.source];
  if (from.gamma < 0) return values;
  const auto& gamma = parameters[from.gamma];
  const auto& beta = parameters[from.gamma + 1];
  const auto& mean = moving[from.mean];
  const auto& variance = moving[from.mean + 1];
  const auto scale = [&](std::size_t k) { return gamma[k] / std::sqrt(variance[k] + batch_norm_epsilon); };
  if (from.bias) {
    std::vector<float> bias(gamma.size());
    for (std::size_t k = 0; k < bias.size(); ++k) bias[k] = beta[k] - mean[k] * scale(k);
    return bias;
  }
  // Canonical kernels are (G,K,R,S,C): output channels, all groups counted together, come first.
  const std::size_t each = values.size() / gamma.size();
  for (std::size_t k = 0; k < gamma.size(); ++k) {
    const float s = scale(k);
    for (std::size_t i = 0; i < each; ++i) values[k * each + i] *= s;
  }
  return values;
}

}  // namespace detbench
