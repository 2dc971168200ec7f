#include "tests/models/keras_reference.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "kernels/tensor/philox.hpp"
#include "models/catalog.hpp"
#include "tests/models/small_networks.hpp"

namespace detbench::testing {
namespace {

using Json = nlohmann::json;

const std::filesystem::path& folder() {
  static const std::filesystem::path path = DETBENCH_KERAS_DIR;
  return path;
}

/// The nearest f32. Not inlined: g++ 12 at -O3 takes two neighbouring conversions to float and back for none (the test of the
/// small CNN shows it).
[[gnu::noinline]] double as_f32(double value) { return static_cast<double>(static_cast<float>(value)); }

StoredTensor read_tensor(const Json& j) {
  StoredTensor t{j.at("shape"), j.at("l2"), j.at("sum"), j.at("sketch"), j.at("elements"), j.at("f32_distance"), 0};
  t.moved = j.value("moved", 0.0);
  return t;
}

StoredTensors read_tensors(const Json& j) {
  StoredTensors all;
  for (const auto& [name, tensor] : j.items()) all.emplace(name, read_tensor(tensor));
  return all;
}

StoredRun read_run(const Json& j) {
  const Json& o = j.at("optimizer");
  StoredRun run{j.at("name"), {}, 0, j.at("label_smoothing"), j.at("losses"), j.at("losses_f32_distance"), {}, {}, {}};
  const std::string kind = o.at("kind");
  auto& spec = run.optimizer;
  spec.kind = kind == "sgd" ? OptimizerSpec::sgd : kind == "rmsprop" ? OptimizerSpec::rmsprop : OptimizerSpec::adam;
  if (kind != "sgd" && kind != "rmsprop" && kind != "adam") throw std::runtime_error("the stored optimizer '" + kind + "' is none of ours");
  for (const auto& [key, value] : o.items()) {
    if (key == "learning_rate" || key == "kind") continue;
    if (key == "momentum") spec.momentum = value;
    else if (key == "nesterov") spec.nesterov = value;
    else if (key == "epsilon") spec.epsilon = value;
    else if (key == "centered") spec.centered = value;
    else if (key == "amsgrad") spec.amsgrad = value;
    else if (key == "weight_decay") spec.weight_decay = value;
    else throw std::runtime_error("the stored optimizer has '" + key + "', which this test does not know");
  }
  // Keras's defaults.
  run.learning_rate = o.value("learning_rate", spec.kind == OptimizerSpec::sgd ? 0.01 : 0.001);
  run.weights = read_tensors(j.at("weights")), run.slots = read_tensors(j.at("slots")), run.moving = read_tensors(j.at("moving"));
  return run;
}

}  // namespace

std::string read_keras_file(const std::string& file) {
  const auto path = folder() / file;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(path.c_str(), "rb"), gzclose);
  if (!in) throw std::runtime_error(path.string() + " cannot be opened");
  std::string text;
  std::vector<char> piece(1 << 20);
  for (;;) {
    const int n = gzread(in.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (n < 0) throw std::runtime_error(path.string() + " is damaged");
    if (n == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
}

std::vector<std::string> keras_case_names() {
  const std::string ending = ".json.gz";
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    const std::string file = entry.path().filename();
    if (file.ends_with(ending)) names.push_back(file.substr(0, file.size() - ending.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

KerasCase read_keras_case(const std::string& name) {
  const Json j = Json::parse(read_keras_file(name + ".json.gz"));
  if (j.at("format") != 1) throw std::runtime_error(name + " has another format");
  KerasCase c;
  c.name = name, c.network = j.at("network");
  c.pixels = j.at("pixels"), c.channels = j.at("channels"), c.batch = j.at("batch"), c.classes = j.at("classes");
  c.seed = j.at("seed"), c.images_scale = j.at("images_scale");
  c.loss = j.at("loss"), c.loss_f32_distance = j.at("loss_f32_distance");
  c.forward = read_tensors(j.at("forward")), c.gradients = read_tensors(j.at("gradients")), c.moving = read_tensors(j.at("moving_after_first_step"));
  for (const auto& run : j.at("runs")) c.runs.push_back(read_run(run));
  return c;
}

Network KerasCase::make() const {
  auto made = make_network(network, pixels, classes, channels);
  if (!made) throw std::runtime_error(made.error().text);
  for (auto& layer : made->layers) {
    if (layer.kind == LayerKind::dropout) layer.rate = 0;
    layer.scale = as_f32(layer.scale), layer.offset = as_f32(layer.offset);
  }
  return *made;
}

std::vector<double> KerasCase::images() const {
  const auto f = filled<float>({"images", DataType::f32, {batch, pixels, pixels, channels}, {}}, {FillSpec::Kind::uniform, seed, "images", images_scale, 1, 1.0});
  return {f.begin(), f.end()};
}

std::vector<std::int32_t> KerasCase::labels() const {
  return filled<std::int32_t>({"labels", DataType::i32, {batch}, {}}, {FillSpec::Kind::index, seed, "labels", 1.0, classes, 1.0});
}

std::vector<std::vector<double>> KerasCase::parameters(const Network& of) const {
  std::vector<std::vector<double>> all;
  for (const auto& p : of.parameters()) {
    const auto f = filled<float>({p.name, DataType::f32, p.shape, {}}, initial_fill(of, p, seed));
    all.emplace_back(f.begin(), f.end());
  }
  return all;
}

double KerasDistance::largest() const { return std::max({l2, norm, sum / std::sqrt(static_cast<double>(std::max<std::int64_t>(count, 1))), elements}); }

KerasDistance distance_to(const StoredTensor& stored, const std::string& name, std::span<const double> values) {
  KerasDistance d;
  d.scale = stored.l2, d.count = static_cast<std::int64_t>(values.size());
  d.shapes_agree = element_count(stored.shape) == d.count;
  if (!d.shapes_agree) return d;
  const std::uint64_t key = stream_key(1, "sketch/" + name);
  double square = 0, sum = 0;
  std::vector<double> sketch(stored.sketch.size(), 0.0);
  PhiloxWords words{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) words = philox4x32(i / 4, 0, 0, key);
    square += values[i] * values[i], sum += values[i];
    for (std::size_t j = 0; j < sketch.size(); ++j) sketch[j] += words.w[i % 4] >> j & 1 ? -values[i] : values[i];
  }
  d.norm = std::abs(std::sqrt(square) - stored.l2);
  d.sum = std::abs(sum - stored.sum);
  for (std::size_t j = 0; j < sketch.size(); ++j) d.l2 += (sketch[j] - stored.sketch[j]) * (sketch[j] - stored.sketch[j]) / static_cast<double>(sketch.size());
  d.l2 = std::sqrt(d.l2);
  const auto kept = static_cast<std::int64_t>(stored.elements.size());
  std::vector<std::int64_t> at(stored.elements.size());
  if (kept < d.count) {
    at = filled<std::int64_t>({"at", DataType::i64, {kept}, {}}, {FillSpec::Kind::index, 1, "sample/" + name, 1.0, d.count, 1.0});
    // An element that was drawn twice counts once.
    std::vector<bool> seen(values.size(), false);
    for (std::size_t e = 0; e < at.size(); ++e) {
      if (seen[at[e]]) continue;
      seen[at[e]] = true;
      d.elements += std::pow(values[at[e]] - stored.elements[e], 2);
    }
  } else {
    for (std::int64_t e = 0; e < kept; ++e) d.elements += std::pow(values[e] - stored.elements[e], 2);
  }
  d.elements = std::sqrt(d.elements);
  return d;
}

namespace {

double largest_in_layer(const StoredTensors& stored, const std::string& name, double StoredTensor::*of) {
  const std::string layer = name.substr(0, name.find('/'));
  double size = 0;
  for (auto at = stored.lower_bound(layer); at != stored.end() && at->first.starts_with(layer); ++at)
    if (at->first.size() == layer.size() || at->first[layer.size()] == '/') size = std::max(size, at->second.*of);
  return size;
}

}  // namespace

double size_in_layer(const StoredTensors& stored, const std::string& name) { return largest_in_layer(stored, name, &StoredTensor::l2); }
double way_in_layer(const StoredTensors& weights, const std::string& name) { return largest_in_layer(weights, name, &StoredTensor::moved); }

TrainingSpec spec_of(const StoredRun& run) {
  TrainingSpec spec;
  spec.optimizer = run.optimizer;
  spec.learning_rates = {run.learning_rate};
  spec.label_smoothing = run.label_smoothing;
  spec.regularized = false;
  return spec;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

std::optional<std::string> keras_output_name(const Network& network, int i) {
  const Layer& l = network.layers[i];
  switch (l.kind) {
    case LayerKind::dropout:
    case LayerKind::softmax_cross_entropy: return std::nullopt;
    case LayerKind::activation: {
      const int before = l.inputs[0] - 1;
      return before < 0 ? l.name : network.layers[before].name;
    }
    default: break;
  }
  for (const auto& later : network.layers)
    if (later.kind == LayerKind::activation && later.inputs[0] == i + 1) return std::nullopt;
  return l.name;
}

}  // namespace detbench::testing
