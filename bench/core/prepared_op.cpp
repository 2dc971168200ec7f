#include "bench/core/prepared_op.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <numeric>

#include "bench/core/random.hpp"
#include "kernels/device/atomic_lowering.hpp"
#include "kernels/tensor/compare.hpp"

namespace detbench {
namespace {

/// What GPU frameworks give; an implementation that wants less is served as well.
constexpr std::size_t workspace_alignment = 256;

/// What makes two tensors share a buffer: the same role, type, shape and layout.
std::string describe(const TensorSpec& spec) {
  std::string text = spec.role + " " + std::string(to_text(spec.type));
  for (const auto size : spec.shape) text += "x" + std::to_string(size);
  return text + " " + describe_layout(spec);
}

std::string describe(const FillSpec& fill) {
  char numbers[96];  // hexadecimal floats: two fills that differ in the last bit are two fills
  std::snprintf(numbers, sizeof numbers, "%d %llu %a %lld %a", static_cast<int>(fill.kind),
                static_cast<unsigned long long>(fill.seed), fill.scale, static_cast<long long>(fill.limit), fill.density);
  return fill.stream + " " + numbers;
}

/// Inputs then outputs, or, under a placement seed, any order of them: who is allocated first decides who lies where.
std::vector<std::size_t> allocation_order(std::size_t count, std::uint64_t placement_seed) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (placement_seed == 0) return order;
  SeededRandom random(placement_seed, "order of allocation");
  shuffle(order, random);
  return order;
}

/// "output dst" out of the key "output dst|...".
std::string label(const std::string& key) { return key.substr(0, key.find('|')); }

}  // namespace

Result<Tensor> TensorStore::tensor(const std::string& key, const TensorSpec& spec, bool& fresh) {
  auto& buffer = buffers_[key];
  fresh = buffer == nullptr;
  if (fresh) {
    auto made = device_.allocate(spec.bytes(), size_of(spec.type));
    if (!made) {
      buffers_.erase(key);
      return tl::unexpected(made.error());
    }
    buffer = std::move(*made);
  }
  return Tensor{spec, {buffer->region().data, spec.bytes()}};
}

Result<Tensor> TensorStore::input(const TensorSpec& spec, const FillSpec& fill, unsigned occurrence) {
  bool fresh = false;
  const auto key = "input " + spec.role + "|" + describe(spec) + "|" + describe(fill) + "|" + std::to_string(occurrence);
  auto made = tensor(key, spec, fresh);
  if (!made || !fresh) return made;
  if (auto filled = device_.fill(*made, fill, stream_); !filled) {
    buffers_.erase(key);
    return tl::unexpected(filled.error());
  }
  return made;
}

Result<Tensor> TensorStore::output(const TensorSpec& spec, unsigned occurrence) {
  bool fresh = false;
  return tensor("output " + spec.role + "|" + describe(spec) + "|" + std::to_string(occurrence), spec, fresh);
}

Result<Region> TensorStore::workspace(std::size_t bytes) {
  if (bytes == 0) return Region{};
  if (bytes > workspace_.bytes) {
    // An offset placement would misalign the workspace, which plans may rely on; the lead-in pulls it back onto its
    // alignment and keeps the end guard right behind the last byte.
    const auto& configuration = device_.configuration();
    const bool known = configuration.alignment_bytes % workspace_alignment == 0;
    const auto lead = known ? (workspace_alignment - configuration.offset_bytes % workspace_alignment) % workspace_alignment
                            : workspace_alignment - 1;
    auto made = device_.allocate(bytes + lead);
    if (!made) return tl::unexpected(made.error());
    const auto start = reinterpret_cast<std::uintptr_t>((*made)->region().data);
    const auto aligned = (start + workspace_alignment - 1) / workspace_alignment * workspace_alignment;
    if (aligned - start > lead) return failure("the device's buffers do not keep their alignment");
    workspace_ = {reinterpret_cast<void*>(aligned), bytes};
    buffers_["workspace|" + std::to_string(bytes)] = std::move(*made);
  }
  return Region{workspace_.data, bytes};
}

std::optional<std::string> TensorStore::damaged_guard() const {
  for (const auto& [key, buffer] : buffers_) {
    const auto damaged = buffer->damaged_guard();
    if (!damaged) continue;
    const auto size = static_cast<std::ptrdiff_t>(buffer->region().bytes);
    if (*damaged < 0)
      return label(key) + ": byte " + std::to_string(-*damaged) + " before its start was overwritten";
    return label(key) + ": byte " + std::to_string(*damaged - size) + " behind its end was overwritten";
  }
  return std::nullopt;
}

std::size_t TensorStore::bytes() const {
  std::size_t total = 0;
  for (const auto& [key, buffer] : buffers_) total += buffer->region().bytes;
  return total;
}

Result<std::unique_ptr<PreparedOp>> PreparedOp::make(const Operation& operation, const Problem& problem,
                                                     const Algorithm& algorithm, const Inputs& inputs, Device& device,
                                                     Stream& stream, TensorStore& store) {
  const auto* provider = operation.find_provider(algorithm.provider);
  if (!provider)
    return unsupported("operation " + std::string(operation.op()) + " has no provider '" + algorithm.provider + "'");
  // Libraries bind threads and streams when a plan is made, so the configuration has to be in force by then.
  if (auto active = device.activate(); !active) return tl::unexpected(active.error());

  std::unique_ptr<PreparedOp> op(new PreparedOp(device, stream));
  const auto start = std::chrono::steady_clock::now();
  auto plan = provider->plan(problem, algorithm, device);
  if (!plan) return tl::unexpected(plan.error());
  op->plan_ = std::move(*plan);
  const double asked_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  op->plan_s_ = op->plan_->built_in_s().value_or(asked_s);

  const auto input_count = op->plan_->inputs().size(), output_count = op->plan_->outputs().size();
  op->inputs_.resize(input_count);
  op->outputs_.resize(output_count);
  std::map<std::string, unsigned> seen;
  std::vector<unsigned> occurrence;
  for (const auto& spec : op->plan_->inputs()) occurrence.push_back(seen["input " + describe(spec)]++);
  for (const auto& spec : op->plan_->outputs()) occurrence.push_back(seen["output " + describe(spec)]++);
  for (const auto i : allocation_order(input_count + output_count, device.configuration().placement_seed)) {
    if (i >= input_count) {
      auto output = store.output(op->plan_->outputs()[i - input_count], occurrence[i]);
      if (!output) return tl::unexpected(output.error());
      op->outputs_[i - input_count] = std::move(*output);
      continue;
    }
    const auto& spec = op->plan_->inputs()[i];
    auto fill = operation.fill(problem, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    auto input = store.input(spec, *fill, occurrence[i]);
    if (!input) return tl::unexpected(input.error());
    op->inputs_[i] = std::move(*input);
  }
  auto workspace = store.workspace(op->plan_->workspace_bytes());
  if (!workspace) return tl::unexpected(workspace.error());
  op->workspace_ = *workspace;
  if (auto filled = stream.wait(); !filled) return tl::unexpected(filled.error());

  auto bound = op->plan_->bind(op->inputs_, op->outputs_, op->workspace_, stream);
  if (!bound) return tl::unexpected(bound.error());
  op->op_ = std::move(*bound);
  op->notes_ = op->plan_->notes();
  if (auto lowering = atomic_lowering_note(problem, algorithm, device)) op->notes_.emplace("atomic_lowering", std::move(*lowering));
  return op;
}

Status PreparedOp::poison_outputs(Poison poison, std::uint64_t seed) {
  // Every output gets its own seed: equal random bytes in two outputs would hide that they were swapped.
  for (std::size_t i = 0; i < outputs_.size(); ++i)
    if (auto done = device_.poison(outputs_[i].region, poison, seed + i, stream_); !done) return done;
  return {};
}

Status PreparedOp::poison(Poison poison, std::uint64_t seed) {
  if (auto done = poison_outputs(poison, seed); !done) return done;
  if (workspace_.bytes == 0) return {};
  return device_.poison(workspace_, poison, seed + outputs_.size(), stream_);
}

Status PreparedOp::reset() { return op_->reset(); }
Status PreparedOp::enqueue() { return op_->enqueue(); }
Status PreparedOp::wait() { return stream_.wait(); }
Result<Digest> PreparedOp::digest() { return device_.digest(outputs_, stream_); }
Result<Digest> PreparedOp::input_digest() { return device_.digest(inputs_, stream_); }

Result<Digest> PreparedOp::run() {
  if (auto done = reset(); !done) return tl::unexpected(done.error());
  if (auto done = enqueue(); !done) return tl::unexpected(done.error());
  if (auto done = wait(); !done) return tl::unexpected(done.error());
  return digest();
}

Result<std::vector<Tensor>> PreparedOp::host_outputs() {
  if (device_.kind() == DeviceKind::cpu) return outputs_;
  host_copies_.resize(outputs_.size());
  auto copies = outputs_;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    host_copies_[i].resize(outputs_[i].region.bytes);
    if (auto copied = device_.copy_to_host(host_copies_[i].data(), outputs_[i].region, stream_); !copied)
      return tl::unexpected(copied.error());
    copies[i].region.data = host_copies_[i].data();
  }
  if (auto done = stream_.wait(); !done) return tl::unexpected(done.error());
  return copies;
}

Result<std::vector<std::vector<std::byte>>> PreparedOp::snapshot() {
  auto tensors = host_outputs();
  if (!tensors) return tl::unexpected(tensors.error());
  std::vector<std::vector<std::byte>> bytes(tensors->size());
  for (std::size_t i = 0; i < tensors->size(); ++i) gather_canonical((*tensors)[i], bytes[i]);
  return bytes;
}

}  // namespace detbench
