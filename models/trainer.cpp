#include "models/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/tensor/compare.hpp"
#include "models/initializers.hpp"

namespace detbench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

/// Device memory for the length of a training.
class Memory {
 public:
  explicit Memory(Device& device) : device_(device) {}
  Result<Region> take(std::size_t bytes) {
    auto buffer = device_.allocate(std::max<std::size_t>(bytes, 1));
    if (!buffer) return tl::unexpected(buffer.error());
    buffers_.push_back(std::move(*buffer));
    return buffers_.back()->region();
  }
  Result<std::vector<Tensor>> take(const std::vector<TensorSpec>& specs) {
    std::vector<Tensor> tensors;
    for (const auto& spec : specs) {
      auto region = take(spec.bytes());
      if (!region) return tl::unexpected(region.error());
      tensors.push_back({spec, *region});
    }
    return tensors;
  }

 private:
  Device& device_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

/// The elements of a device's tensor in canonical order, through host memory.
Status read_canonical(const Tensor& tensor, Device& device, Stream& stream, std::vector<std::byte>& out) {
  std::vector<std::byte> copy(tensor.spec.bytes());
  if (auto s = device.copy_to_host(copy.data(), {tensor.region.data, copy.size()}, stream); !s) return s;
  gather_canonical({tensor.spec, {copy.data(), copy.size()}}, out);
  return {};
}

/// The forward pass with moving statistics over the validation images. Its weights and statistics are the training's own
/// tensors, so it always sees the current ones; those that a library keeps in another layout are copied before each pass.
class Evaluator {
 public:
  static Result<std::unique_ptr<Evaluator>> make(const Network& network, const TrainerSpec& spec, TrainStepOp& step, Loader loader, const Registry& registry, Device& device,
                                                 Memory& memory) {
    auto program = plan_inference_program(network, spec.batch, fixed_order_selection(), "f32_f32_strict", registry, device);
    if (!program) return tl::unexpected(program.error());
    auto evaluator = std::unique_ptr<Evaluator>(new Evaluator(std::move(*program), std::move(loader), device, step.stream()));
    auto& e = *evaluator;
    auto own = memory.take({e.program_.images, e.program_.logits});
    if (!own) return tl::unexpected(own.error());
    e.images_ = (*own)[0], e.logits_ = (*own)[1];
    std::vector<Tensor> externals = *own;
    for (const auto& [specs, tensors] : {std::pair{&e.program_.parameters, step.parameters()}, {&e.program_.moving, step.moving()}}) {
      if (specs->size() != tensors.size()) return failure("training and inference of " + network.name + " do not have the same tensors");
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        const auto &wanted = (*specs)[i], &there = tensors[i].spec;
        if (wanted.role != there.role || wanted.type != there.type || wanted.shape != there.shape || !wanted.is_canonical())
          return failure("training keeps " + there.role + " where inference wants " + wanted.role + ", or in another form");
        if (wanted.layout == there.layout) {
          externals.push_back(tensors[i]);
          continue;
        }
        auto region = memory.take(wanted.bytes());
        if (!region) return tl::unexpected(region.error());
        externals.push_back({wanted, *region});
        e.copied_.emplace_back(tensors[i], externals.back());
      }
    }
    auto arena = memory.take(e.program_.program.arena_bytes());
    if (!arena) return tl::unexpected(arena.error());
    Stream* const streams[] = {&e.stream_};
    auto bound = e.program_.program.bind(externals, *arena, streams);
    if (!bound) return tl::unexpected(bound.error());
    e.ops_ = std::move(*bound);
    e.pixels_.resize(static_cast<std::size_t>(element_count(e.images_.spec.shape)));
    e.labels_.resize(static_cast<std::size_t>(spec.batch));
    e.scores_.resize(static_cast<std::size_t>(element_count(e.logits_.spec.shape)));
    return evaluator;
  }

  /// The share of images classified rightly; `predictions` in the order of the validation images.
  Result<double> run(std::vector<std::int32_t>& predictions) {
    predictions.clear();
    std::vector<std::byte> elements;
    for (const auto& [source, target] : copied_) {
      if (auto s = read_canonical(source, device_, stream_, elements); !s) return tl::unexpected(s.error());
      if (auto s = device_.copy_from_host({target.region.data, elements.size()}, elements.data(), stream_); !s) return tl::unexpected(s.error());
    }
    std::int64_t right = 0;
    const auto classes = static_cast<std::ptrdiff_t>(logits_.spec.shape[1]);
    for (std::int64_t b = 0; b < loader_.batches_per_epoch(); ++b) {
      const auto count = loader_.load(0, b, pixels_, labels_);
      if (!count) return tl::unexpected(count.error());
      if (auto s = device_.copy_from_host({images_.region.data, images_.spec.bytes()}, pixels_.data(), stream_); !s) return tl::unexpected(s.error());
      for (auto& bound : ops_)
        if (auto s = bound.op->enqueue(); !s) return failure(bound.info->layer + " " + bound.info->op + ": " + s.error().text, s.error().kind);
      if (auto s = device_.copy_to_host(scores_.data(), {logits_.region.data, logits_.spec.bytes()}, stream_); !s) return tl::unexpected(s.error());
      for (std::int64_t i = 0; i < *count; ++i) {
        const auto row = scores_.begin() + static_cast<std::ptrdiff_t>(i) * classes;
        predictions.push_back(static_cast<std::int32_t>(std::max_element(row, row + classes) - row));
        right += predictions.back() == labels_[static_cast<std::size_t>(i)];
      }
    }
    return static_cast<double>(right) / static_cast<double>(predictions.size());
  }

 private:
  Evaluator(InferenceProgram program, Loader loader, Device& device, Stream& stream)
      : program_(std::move(program)), loader_(std::move(loader)), device_(device), stream_(stream) {}
  InferenceProgram program_;
  Loader loader_;
  Device& device_;
  Stream& stream_;
  Tensor images_, logits_;
  std::vector<std::pair<Tensor, Tensor>> copied_;  ///< from the training's tensor to this one's
  std::vector<BoundOp> ops_;
  std::vector<float> pixels_, scores_;
  std::vector<std::int32_t> labels_;
};

Status check_fit(const Network& network, const Dataset& dataset, const TrainerSpec& spec) {
  if (spec.epochs < 1) return invalid_input("0 epochs train nothing; 1 or more do");
  const auto &wanted = network.image, given = dataset.image();
  if (wanted != given)
    return invalid_input(network.name + " takes images of " + std::to_string(wanted.height) + "x" + std::to_string(wanted.width) + "x" + std::to_string(wanted.channels) +
                         ", " + dataset.name() + " has " + std::to_string(given.height) + "x" + std::to_string(given.width) + "x" + std::to_string(given.channels));
  if (network.classes != static_cast<std::int64_t>(dataset.classes().size()))
    return invalid_input(network.name + " has " + std::to_string(network.classes) + " classes, " + dataset.name() + " " + std::to_string(dataset.classes().size()));
  return {};
}

Result<Loader> validation_loader(std::shared_ptr<const Dataset> dataset, const Split& split, const TrainerSpec& spec) {
  LoaderSpec plain;
  plain.batch = spec.batch;
  plain.shuffled = false;
  plain.standardization = spec.standardization;
  plain.drop_remainder = false;
  plain.threads = spec.loader_threads;
  return Loader::make(std::move(dataset), split.validation, plain);
}

Result<Loader> training_loader(std::shared_ptr<const Dataset> dataset, const Split& split, const TrainerSpec& spec) {
  LoaderSpec shuffled;
  shuffled.batch = spec.batch;
  shuffled.shuffle_seed = spec.training.seeds.shuffle;
  shuffled.augmentation_seed = spec.training.seeds.augmentation;
  shuffled.augmentation = spec.augmentation;
  shuffled.standardization = spec.standardization;
  shuffled.threads = spec.loader_threads;
  return Loader::make(std::move(dataset), split.training, shuffled);
}

/// Reads tensors to the host, canonical, one behind the other.
Result<std::vector<float>> read_weights(std::span<const Tensor> tensors, Device& device, Stream& stream) {
  std::vector<float> all;
  std::vector<std::byte> elements;
  for (const auto& tensor : tensors) {
    if (tensor.spec.type != DataType::f32) return failure("parameter " + tensor.spec.role + " is not f32");
    if (auto s = read_canonical(tensor, device, stream, elements); !s) return tl::unexpected(s.error());
    const std::size_t begin = all.size();
    all.resize(begin + elements.size() / sizeof(float));
    std::memcpy(all.data() + begin, elements.data(), elements.size());
  }
  return all;
}

}  // namespace

Result<TrainingOutcome> train_network(const Network& network, std::shared_ptr<const Dataset> dataset, const Split& split, const Selection& selection,
                                      const TrainerSpec& spec, const Registry& registry, Device& device) {
  if (auto s = check_fit(network, *dataset, spec); !s) return tl::unexpected(s.error());
  auto loader = training_loader(dataset, split, spec);
  if (!loader) return tl::unexpected(loader.error());
  auto validation = validation_loader(dataset, split, spec);
  if (!validation) return tl::unexpected(validation.error());

  TrainingOutcome outcome;
  const auto preparing = Clock::now();
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  auto program = plan_train_program(network, spec.batch, selection, spec.training, registry, device, streams_of(spec.execution));
  if (!program) return tl::unexpected(program.error());
  TrainStepPlan plan(std::move(*program), 1, device, spec.execution);
  if (auto s = fits_in_memory(plan.memory_bytes(), device); !s) return tl::unexpected(s.error());
  if (plan.inputs()[0].type != DataType::f32 || !plan.inputs()[0].is_canonical()) return failure("images of " + network.name + " are not plain f32 in the order N,H,W,C");
  Memory memory(device);
  auto inputs = memory.take(plan.inputs());
  if (!inputs) return tl::unexpected(inputs.error());
  auto outputs = memory.take(plan.outputs());
  if (!outputs) return tl::unexpected(outputs.error());
  auto workspace = memory.take(plan.workspace_bytes());
  if (!workspace) return tl::unexpected(workspace.error());
  const auto parameters = network.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    if (auto s = device.fill((*inputs)[p + 2], initial_fill(network, parameters[p], spec.training.seeds.weights), **stream); !s) return tl::unexpected(s.error());
  auto bound = plan.bind(*inputs, *outputs, *workspace, **stream);
  if (!bound) return tl::unexpected(bound.error());
  auto& step = dynamic_cast<TrainStepOp&>(**bound);
  auto evaluator = Evaluator::make(network, spec, step, std::move(*validation), registry, device, memory);
  if (!evaluator) return tl::unexpected(evaluator.error());
  if (auto s = step.reset(); !s) return tl::unexpected(s.error());
  outcome.prepare_s = seconds_since(preparing);

  std::vector<float> pixels(static_cast<std::size_t>(element_count(step.images().spec.shape)));
  std::vector<std::int32_t> labels(static_cast<std::size_t>(spec.batch));
  for (std::uint32_t epoch = 0; epoch < spec.epochs; ++epoch) {
    for (std::int64_t b = 0; b < loader->batches_per_epoch(); ++b) {
      if (auto count = loader->load(epoch, b, pixels, labels); !count) return tl::unexpected(count.error());
      const auto training = Clock::now();
      if (auto s = device.copy_from_host({step.images().region.data, step.images().spec.bytes()}, pixels.data(), **stream); !s) return tl::unexpected(s.error());
      if (auto s = device.copy_from_host({step.labels().region.data, step.labels().spec.bytes()}, labels.data(), **stream); !s) return tl::unexpected(s.error());
      if (auto s = step.step(); !s) return tl::unexpected(s.error());
      const auto loss = step.current_loss();
      if (!loss) return tl::unexpected(loss.error());
      outcome.loss.push_back(*loss);
      outcome.train_s += seconds_since(training);
    }
    const auto evaluating = Clock::now();
    auto accuracy = (*evaluator)->run(outcome.predictions);
    if (!accuracy) return tl::unexpected(accuracy.error());
    outcome.accuracy.push_back(*accuracy);
    outcome.evaluate_s += seconds_since(evaluating);
  }
  outcome.input_s = loader->input_s();
  auto digest = device.digest(step.parameters(), **stream);
  if (!digest) return tl::unexpected(digest.error());
  outcome.weights_digest = *digest;
  auto weights = read_weights(step.parameters(), device, **stream);
  if (!weights) return tl::unexpected(weights.error());
  outcome.weights = std::move(*weights);
  return outcome;
}

}  // namespace detbench
