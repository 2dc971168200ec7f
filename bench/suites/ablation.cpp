#include "bench/suites/ablation.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "bench/workers/messages.hpp"
#include "models/catalog.hpp"
#include "models/data/procedural.hpp"
#include "models/small_residual.hpp"
#include "models/trainer.hpp"

namespace detbench {
namespace {

using Json = nlohmann::ordered_json;
constexpr double validation_share = 0.25;

Result<Network> network_of(const AblationSettings& s) {
  if (s.network == "small_residual") return make_small_residual(s.pixels, s.classes);
  return make_network(s.network, s.pixels, s.classes, 3);
}

/// Rotation, shifts, zoom, a flip: what a user of ImageDataGenerator turns on first.
AugmentationSpec augmentation() {
  AugmentationSpec spec;
  spec.rotation_range = 10;
  spec.width_shift_range = spec.height_shift_range = 0.1;
  spec.zoom_low = 0.9;
  spec.zoom_high = 1.1;
  spec.horizontal_flip = true;
  return spec;
}

/// EfficientNet and the small networks take bytes; MobileNetV2 what preprocess_input makes of them.
Standardization standardization_of(const Network& network) {
  return network.layers.front().kind == LayerKind::rescaling || network.layers.front().kind == LayerKind::normalization ? Standardization::raw : Standardization::tf;
}

bool has_dropout(const Network& network, bool whole_samples) {
  return std::any_of(network.layers.begin(), network.layers.end(),
                     [&](const Layer& l) { return l.kind == LayerKind::dropout && l.rate > 0 && l.whole_samples == whole_samples; });
}

/// Why letting this source go could not change anything; empty: it could.
std::string not_there(const std::string& source, const Network& network) {
  if (source == "dropout" && !has_dropout(network, false)) return network.name + " has no dropout";
  if (source == "drop_connect" && !has_dropout(network, true)) return network.name + " has no drop-connect";
  return "";
}

Seeds seeds_of(const AblationSettings& settings, const std::string& source, std::uint32_t replica) {
  Seeds seeds{settings.seed, settings.seed, settings.seed, settings.seed, settings.seed};
  const std::pair<const char*, std::uint64_t Seeds::*> members[] = {{"weights", &Seeds::weights}, {"shuffle", &Seeds::shuffle}, {"augmentation", &Seeds::augmentation},
                                                                    {"dropout", &Seeds::dropout}, {"drop_connect", &Seeds::drop_connect}};
  for (const auto& [name, member] : members)
    if (source == name || source == "all") seeds.*member += replica;
  return seeds;
}

Result<ReplicaOutcome> train_replica(const AblationSettings& settings, const Network& network, const std::shared_ptr<const Dataset>& dataset, const Split& split,
                                     const std::string& source, std::uint32_t replica, const MakeDevice& make_device, double& input_s, double& train_s) {
  const bool varied = source == "kernels" || source == "all";
  DeviceConfiguration configuration;
  configuration.threads = settings.threads;
  auto device = make_device(configuration);
  if (!device) return tl::unexpected(device.error());
  const bool gpu = (*device)->kind() == DeviceKind::cuda;
  if (varied && !gpu) {
    // More threads than cores would spin on each other's time: a step of milliseconds took a second.
    configuration.threads = static_cast<int>(replica) % std::max(available_cores(), 2) + 1;
    device = make_device(configuration);
    if (!device) return tl::unexpected(device.error());
  }
  TrainerSpec spec;
  spec.batch = settings.batch;
  spec.epochs = settings.epochs;
  spec.training.learning_rates = {settings.learning_rate};
  spec.training.seeds = seeds_of(settings, source, replica);
  spec.augmentation = augmentation();
  spec.standardization = standardization_of(network);
  const auto registry = make_network_registry();
  auto outcome = train_network(network, dataset, split, varied ? library_heuristic_selection() : fixed_order_selection(), spec, *registry, **device);
  if (!outcome) return tl::unexpected(outcome.error());
  input_s += outcome->input_s;
  train_s += outcome->train_s;
  ReplicaOutcome done;
  const std::size_t last = outcome->loss.size() / settings.epochs;
  double sum = 0;
  for (std::size_t i = outcome->loss.size() - last; i < outcome->loss.size(); ++i) sum += outcome->loss[i];
  done.replica = {to_hex(outcome->weights_digest), sum / static_cast<double>(last), outcome->accuracy.back(),
                  !varied ? "fixed_order" : gpu ? "library_heuristic" : "library_heuristic, threads=" + std::to_string(configuration.threads)};
  done.weights = std::move(outcome->weights);
  done.predictions = std::move(outcome->predictions);
  return done;
}

/// Mean and the deviation of a sample, 0 for one alone.
std::pair<double, double> mean_and_stddev(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  const double mean = sum / static_cast<double>(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / static_cast<double>(values.size() - 1)) : 0.0};
}

Result<std::shared_ptr<const Dataset>> dataset_of(const AblationSettings& s) {
  auto made = make_procedural_dataset({{s.pixels, s.pixels, 3}, s.classes, s.images, s.seed, 48});
  if (!made) return tl::unexpected(made.error());
  return std::shared_ptr<const Dataset>(std::move(*made));
}

}  // namespace

const std::vector<std::string>& ablation_sources() {
  static const std::vector<std::string> sources = {"none", "weights", "shuffle", "augmentation", "dropout", "drop_connect", "kernels", "all"};
  return sources;
}

std::optional<AblationSettings> ablation_of_profile(std::string_view profile, std::uint64_t seed, int threads) {
  AblationSettings settings;
  settings.seed = seed;
  settings.threads = threads;
  if (profile == "quick") {
    settings.pixels = 20;
    settings.classes = 4;
    settings.epochs = 4;
    return settings;
  }
  if (profile == "standard" || profile == "full") {
    settings.images = profile == "full" ? 12000 : 2400;
    settings.epochs = profile == "full" ? 12 : 6;
    settings.batch = 32;
    settings.replicas = 10;  // as many as the literature takes
    settings.timeout_s = profile == "full" ? 7200 : 1200;
    return settings;
  }
  return std::nullopt;
}

Problem ablation_problem(const AblationSettings& s) {
  return {"ablation", "px" + std::to_string(s.pixels) + "_mb" + std::to_string(s.batch) + "_n" + std::to_string(s.images) + "_e" + std::to_string(s.epochs), "f32_f32_strict", "nhwc"};
}

bool wants_ablation(const Filter& filter, const AblationSettings& settings) {
  return filter.accepts("ablation", ablation_problem(settings), {settings.network}) && !filter.chooses_arms();
}

AblationRow summarize_replicas(std::string source, const std::vector<ReplicaOutcome>& outcomes) {
  AblationRow row;
  row.source = std::move(source);
  std::set<std::string> digests;
  std::vector<double> losses, accuracies;
  double norms = 0;
  for (const auto& o : outcomes) {
    row.replicas.push_back(o.replica);
    digests.insert(o.replica.weights_digest);
    losses.push_back(o.replica.final_loss);
    accuracies.push_back(o.replica.accuracy);
    double squares = 0;
    for (const float w : o.weights) squares += static_cast<double>(w) * static_cast<double>(w);
    norms += std::sqrt(squares);
  }
  row.distinct_weights = static_cast<std::uint32_t>(digests.size());
  if (outcomes.empty()) return row;
  std::tie(row.loss_mean, row.loss_stddev) = mean_and_stddev(losses);
  std::tie(row.accuracy_mean, row.accuracy_stddev) = mean_and_stddev(accuracies);
  row.loss_min = *std::min_element(losses.begin(), losses.end());
  row.loss_max = *std::max_element(losses.begin(), losses.end());
  double pairs = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    for (std::size_t j = i + 1; j < outcomes.size(); ++j, ++pairs) {
      const auto &a = outcomes[i], &b = outcomes[j];
      double squares = 0;
      for (std::size_t k = 0; k < a.weights.size(); ++k) {
        const double difference = static_cast<double>(a.weights[k]) - static_cast<double>(b.weights[k]);
        squares += difference * difference;
      }
      row.weights_l2 += std::sqrt(squares);
      std::size_t changed = 0;
      for (std::size_t k = 0; k < a.predictions.size(); ++k) changed += a.predictions[k] != b.predictions[k];
      row.churn += a.predictions.empty() ? 0 : static_cast<double>(changed) / static_cast<double>(a.predictions.size());
    }
  if (pairs > 0) {
    row.weights_l2 /= pairs;
    row.churn /= pairs;
    if (norms > 0) row.relative_weights_l2 = row.weights_l2 / (norms / static_cast<double>(outcomes.size()));
  }
  return row;
}

Result<AblationRow> measure_ablation_row(const AblationSettings& settings, const std::string& source, const MakeDevice& make_device, double& input_s, double& train_s) {
  if (std::find(ablation_sources().begin(), ablation_sources().end(), source) == ablation_sources().end()) return invalid_input("'" + source + "' is no source of randomness");
  if (settings.replicas < 2) return invalid_input(std::to_string(settings.replicas) + " trainings cannot be compared; 2 or more can");
  const auto network = network_of(settings);
  if (!network) return tl::unexpected(network.error());
  const auto dataset = dataset_of(settings);
  if (!dataset) return tl::unexpected(dataset.error());
  const auto split = split_stratified(**dataset, validation_share, settings.seed);
  if (!split) return tl::unexpected(split.error());
  AblationRow none;
  none.source = source;
  none.note = not_there(source, *network);
  if (!none.note.empty()) return none;
  std::vector<ReplicaOutcome> outcomes;
  for (std::uint32_t r = 0; r < settings.replicas; ++r) {
    auto outcome = train_replica(settings, *network, *dataset, *split, source, r, make_device, input_s, train_s);
    if (!outcome) {
      none.note = outcome.error().text;
      return none;
    }
    outcomes.push_back(std::move(*outcome));
  }
  return summarize_replicas(source, outcomes);
}

Result<Ablation> describe_ablation(const AblationSettings& settings, bool gpu) {
  const auto network = network_of(settings);
  if (!network) return tl::unexpected(network.error());
  const auto dataset = dataset_of(settings);
  if (!dataset) return tl::unexpected(dataset.error());
  const auto split = split_stratified(**dataset, validation_share, settings.seed);
  if (!split) return tl::unexpected(split.error());
  Ablation a;
  a.network = network->name;
  a.dataset = (*dataset)->name();
  a.types = "f32_f32_strict";
  a.fixed_kernels = "fixed_order";
  a.varied_kernels = gpu ? "library_heuristic" : "library_heuristic, 1, 2, ... threads by turns, up to the cores there are";
  a.pixels = settings.pixels;
  a.classes = settings.classes;
  a.batch = settings.batch;
  a.training_images = static_cast<std::int64_t>(split->training.size());
  a.validation_images = static_cast<std::int64_t>(split->validation.size());
  a.epochs = settings.epochs;
  a.steps = static_cast<std::uint32_t>(a.training_images / settings.batch) * settings.epochs;
  a.learning_rate = settings.learning_rate;
  a.augmentation = "rotation_range=10, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1, horizontal_flip";
  return a;
}

Result<Json> answer_ablation(const Json& request, const MakeDevice& make_device) {
  auto settings = read_ablation_settings(request.value("settings", Json::object()));
  if (!settings) return tl::unexpected(settings.error());
  double input_s = 0, train_s = 0;
  auto row = measure_ablation_row(*settings, request.value("source", ""), make_device, input_s, train_s);
  if (!row) return tl::unexpected(row.error());
  return Json{{"row", to_json(*row)}, {"input_s", input_s}, {"train_s", train_s}};
}

Status take_ablation_answer(const Json& answer, const std::string& source, Ablation& ablation) {
  AblationRow row;
  row.source = source;
  if (const auto found = answer.find("ablation"); found != answer.end()) {
    auto read = read_ablation_row(found->value("row", Json::object()), "ablation.row");
    if (!read) return tl::unexpected(read.error());
    row = std::move(*read);
    ablation.input_s += found->value("input_s", 0.0);
    ablation.train_s += found->value("train_s", 0.0);
  } else {
    row.note = answer.contains("error") ? read_reason(answer["error"]).text : "no answer";
  }
  ablation.rows.push_back(std::move(row));
  return {};
}

Json to_json(const AblationSettings& s) {
  return {{"network", s.network}, {"pixels", s.pixels},   {"classes", s.classes},   {"batch", s.batch},       {"images", s.images}, {"epochs", s.epochs},
          {"replicas", s.replicas}, {"learning_rate", s.learning_rate}, {"seed", s.seed}, {"threads", s.threads}};
}

Result<AblationSettings> read_ablation_settings(const Json& json) {
  try {
    AblationSettings s;
    s.network = json.at("network").get<std::string>();
    s.pixels = json.at("pixels").get<std::int64_t>();
    s.classes = json.at("classes").get<std::int64_t>();
    s.batch = json.at("batch").get<std::int64_t>();
    s.images = json.at("images").get<std::int64_t>();
    s.epochs = json.at("epochs").get<std::uint32_t>();
    s.replicas = json.at("replicas").get<std::uint32_t>();
    s.learning_rate = json.at("learning_rate").get<double>();
    s.seed = json.at("seed").get<std::uint64_t>();
    s.threads = json.at("threads").get<int>();
    return s;
  } catch (const Json::exception& e) {
    return invalid_input(std::string("a request for an ablation is damaged: ") + e.what());
  }
}

}  // namespace detbench
