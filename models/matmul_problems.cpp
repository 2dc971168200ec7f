#include "models/matmul_problems.hpp"

#include <algorithm>

namespace detbench {
namespace {

/// Keeps the first mention of a product and joins the layers of later ones.
void add(std::vector<LayerProblem>& all, std::int64_t m, std::int64_t n, std::int64_t k, const std::string& types, const char* layout, std::string layer) {
  Problem problem{"matmul", format_shape({{"m", std::to_string(m)}, {"n", std::to_string(n)}, {"k", std::to_string(k)}}), types, layout};
  const auto at = std::find_if(all.begin(), all.end(), [&](const LayerProblem& p) { return p.problem == problem; });
  if (at != all.end()) at->layers.push_back(std::move(layer));
  else all.push_back({std::move(problem), {std::move(layer)}});
}

bool is_product(const Layer& l) {
  if (l.kind == LayerKind::dense) return true;
  const auto& w = l.window;
  return l.kind == LayerKind::convolution && w.kernel == 1 && w.stride == 1 && w.groups == 1;
}

}  // namespace

std::vector<LayerProblem> matmul_problems(const Network& network, std::int64_t batch, const std::string& types) {
  std::vector<LayerProblem> all;
  for (const auto& l : network.layers) {
    if (!is_product(l)) continue;
    const std::int64_t pixels = l.kind == LayerKind::dense ? batch : batch * l.out.height * l.out.width, ic = l.in.channels, oc = l.out.channels;
    add(all, pixels, oc, ic, types, "nt", l.name + "/fwd");
    if (network.needs_gradient(l.inputs[0])) add(all, pixels, ic, oc, types, "nn", l.name + "/dgrad");
    add(all, oc, ic, pixels, types, "tn", l.name + "/wgrad");
  }
  return all;
}

std::vector<LayerProblem> split_k_problems(const std::string& types) {
  // m and n of the gradients: output and input channels; k: 32 images of 112, 56, 28, 14 and 7 pixels a side.
  const struct {
    std::int64_t m, n, k;
    const char* what;
  } shapes[] = {
      {32, 16, 401408, "transposed wgrad of the first projection, 112x112"},
      {16, 32, 401408, "wgrad of the first projection, 112x112"},
      {96, 16, 401408, "wgrad of the first expansion, 112x112"},
      {24, 96, 100352, "wgrad of a projection, 56x56"},
      {144, 24, 100352, "wgrad of an expansion, 56x56"},
      {32, 192, 25088, "wgrad of a projection, 28x28"},
      {384, 64, 6272, "wgrad of an expansion, 14x14"},
      {960, 160, 1568, "wgrad of an expansion, 7x7"},
      {1, 1, 1 << 20, "dot product"},
      {8, 8, 1 << 18, "8 by 8 long sums"},
      {64, 64, 1 << 16, "one tile"},
      {128, 128, 1 << 14, "a few tiles"},
  };
  std::vector<LayerProblem> all;
  for (const auto& s : shapes) add(all, s.m, s.n, s.k, types, "tn", s.what);
  return all;
}

}  // namespace detbench
