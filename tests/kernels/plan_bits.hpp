// The bytes that a plan gives on any device from given bytes: how a test holds a GPU against the CPU where there is no swept
// operation to do it.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/op.hpp"

namespace detbench::testing {

using Bytes = std::vector<std::byte>;

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}
template <class T>
std::vector<T> values_of(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
/// A tensor's bytes as a fill gives them.
inline Bytes filled_bytes(const TensorSpec& spec, const FillSpec& fill) {
  Bytes bytes(spec.bytes());
  EXPECT_TRUE(fill_on_host({spec, {bytes.data(), bytes.size()}}, fill));
  return bytes;
}

/// How a plan is run: what its inputs hold, and which of them an output is the memory of (-1: none; it then begins as
/// `initial` says, or poisoned where that is empty).
struct PlanRun {
  std::function<Result<std::unique_ptr<Plan>>(Device&)> make;
  std::vector<Bytes> inputs;
  std::vector<int> in_place = {};  ///< by output; empty: none is
  std::vector<Bytes> initial = {};
  int runs = 1;
};

/// The outputs' bytes after the last run. On a GPU `captured` replays a captured run instead. Guards are checked.
inline Result<std::vector<Bytes>> run_on(Device& device, const PlanRun& run, bool captured = false) {
  if (auto s = device.activate(); !s) return tl::unexpected(s.error());
  auto made = device.make_stream();
  if (!made) return tl::unexpected(made.error());
  Stream& stream = **made;
  auto plan = run.make(device);
  if (!plan) return tl::unexpected(plan.error());
  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto allocate = [&](std::size_t bytes) -> Result<Region> {
    auto buffer = device.allocate(std::max<std::size_t>(bytes, 1), 16);
    if (!buffer) return tl::unexpected(buffer.error());
    buffers.push_back(std::move(*buffer));
    return Region{buffers.back()->region().data, bytes};
  };
  std::vector<Tensor> inputs, outputs;
  if ((*plan)->inputs().size() != run.inputs.size()) return failure("the plan has " + std::to_string((*plan)->inputs().size()) + " inputs");
  for (std::size_t i = 0; i < run.inputs.size(); ++i) {
    const TensorSpec& spec = (*plan)->inputs()[i];
    if (spec.bytes() != run.inputs[i].size()) return failure("input " + spec.role + " has " + std::to_string(spec.bytes()) + " bytes");
    auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    if (auto s = device.copy_from_host(*region, run.inputs[i].data(), stream); !s) return tl::unexpected(s.error());
    inputs.push_back({spec, *region});
  }
  for (std::size_t o = 0; o < (*plan)->outputs().size(); ++o) {
    const TensorSpec& spec = (*plan)->outputs()[o];
    if (!run.in_place.empty() && run.in_place[o] >= 0) {
      outputs.push_back({spec, inputs[static_cast<std::size_t>(run.in_place[o])].region});
      continue;
    }
    auto region = allocate(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    const bool given = !run.initial.empty() && !run.initial[o].empty();
    if (auto s = given ? device.copy_from_host(*region, run.initial[o].data(), stream) : device.poison(*region, Poison::nan_pattern, 1, stream); !s)
      return tl::unexpected(s.error());
    outputs.push_back({spec, *region});
  }
  auto workspace = allocate((*plan)->workspace_bytes());
  if (!workspace) return tl::unexpected(workspace.error());
  auto op = (*plan)->bind(inputs, outputs, *workspace, stream);
  if (!op) return tl::unexpected(op.error());
  if (auto s = stream.wait(); !s) return tl::unexpected(s.error());
  std::unique_ptr<CapturedWork> work;
  if (captured) {
    if (auto s = stream.begin_capture(); !s) return tl::unexpected(s.error());
    const auto enqueued = (*op)->enqueue();
    auto ended = stream.end_capture();
    if (!enqueued) return tl::unexpected(enqueued.error());
    if (!ended) return tl::unexpected(ended.error());
    work = std::move(*ended);
  }
  for (int k = 0; k < run.runs; ++k)
    if (auto s = captured ? work->enqueue(stream) : (*op)->enqueue(); !s) return tl::unexpected(s.error());
  if (auto s = stream.wait(); !s) return tl::unexpected(s.error());
  for (const auto& buffer : buffers)
    if (buffer->damaged_guard()) return failure("a guard zone was overwritten");
  std::vector<Bytes> found;
  for (const Tensor& tensor : outputs) {
    found.emplace_back(tensor.spec.bytes());
    if (auto s = device.copy_to_host(found.back().data(), tensor.region, stream); !s) return tl::unexpected(s.error());
  }
  return found;
}

inline std::vector<Bytes> run_on_cpu(const PlanRun& run, int threads = 2) {
  DeviceConfiguration configuration;
  configuration.threads = threads;
  const auto device = std::move(make_cpu_device(configuration).value());
  auto found = run_on(*device, run);
  EXPECT_TRUE(found) << found.error().text;
  return found ? *found : std::vector<Bytes>{};
}

/// A GPU gives the CPU's bytes, by launches and by a captured run.
inline void expect_cpu_bytes(Device& gpu, const PlanRun& run, const std::string& what) {
  const auto expected = run_on_cpu(run);
  for (const bool captured : {false, true}) {
    const auto found = run_on(gpu, run, captured);
    ASSERT_TRUE(found) << what << ": " << found.error().text;
    ASSERT_EQ(found->size(), expected.size()) << what;
    for (std::size_t o = 0; o < expected.size(); ++o) EXPECT_TRUE((*found)[o] == expected[o]) << what << (captured ? ", captured" : "") << ", output " << o;
  }
}

}  // namespace detbench::testing
