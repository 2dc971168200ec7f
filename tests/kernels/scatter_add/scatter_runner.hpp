// Runs one scatter-add by name over updates that the test chose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/problem.hpp"
#include "kernels/scatter_add/scatter_add.hpp"

namespace detbench::testing {

struct Updates {
  std::vector<float> values;
  std::vector<std::int32_t> indices;
  std::int32_t bins = 1, hot = 0;
  std::string problem() const {
    return "scatter_add/n" + std::to_string(values.size()) + "_bins" + std::to_string(bins) + "_hot" +
           std::to_string(hot) + "/f32_f32_strict/vector/";
  }
};

/// The bins' bits; empty on a failure, whose reason is in `error`.
inline std::vector<std::uint32_t> scatter_bits(const Updates& updates, const std::string& algorithm, int threads,
                                               std::string& error, DeviceKind kind = DeviceKind::cpu) {
  const auto fail = [&](const std::string& text) {
    error = text;
    return std::vector<std::uint32_t>{};
  };
  error.clear();
  DeviceConfiguration configuration;
  configuration.threads = threads;
  const auto device = kind == DeviceKind::cpu ? make_cpu_device(configuration) : make_cuda_device(configuration);
  if (!device) return fail(device.error().text);
  if (const auto active = (*device)->activate(); !active) return fail(active.error().text);
  const auto name = parse_case_id(updates.problem() + algorithm);
  if (!name) return fail(name.error().text);
  const auto operation = make_scatter_add_operation();
  const Provider* provider = operation->find_provider(name->algorithm.provider);
  if (provider == nullptr) return fail("no provider " + name->algorithm.provider);
  const auto plan = provider->plan(name->problem, name->algorithm, **device);
  if (!plan) return fail(plan.error().text);
  const auto stream = (*device)->make_stream();
  if (!stream) return fail(stream.error().text);
  const auto values = (*device)->allocate(updates.values.size() * 4),
             indices = (*device)->allocate(updates.indices.size() * 4);
  const auto out = (*device)->allocate(static_cast<std::size_t>(updates.bins) * 4);
  const auto workspace = (*device)->allocate(std::max<std::size_t>(64, (*plan)->workspace_bytes()));
  if (!values || !indices || !out || !workspace) return fail("cannot allocate");
  const Tensor in[] = {{(*plan)->inputs()[0], (*values)->region()}, {(*plan)->inputs()[1], (*indices)->region()}};
  const Tensor target{(*plan)->outputs()[0], (*out)->region()};
  const auto op = (*plan)->bind(in, {&target, 1}, (*workspace)->region(), **stream);
  if (!op) return fail(op.error().text);
  std::vector<std::uint32_t> bits(static_cast<std::size_t>(updates.bins));
  const bool ran = (*device)->copy_from_host(in[0].region, updates.values.data(), **stream) &&
                   (*device)->copy_from_host(in[1].region, updates.indices.data(), **stream) &&
                   (*device)->poison(target.region, Poison::nan_pattern, 1, **stream) &&
                   (*device)->poison((*workspace)->region(), Poison::random, 2, **stream) && (*op)->enqueue() &&
                   (*device)->copy_to_host(bits.data(), target.region, **stream) && (*stream)->wait();
  if (!ran) return fail("the run failed");
  for (const Buffer* buffer : {values->get(), indices->get(), out->get(), workspace->get()})
    if (buffer->damaged_guard()) return fail("a guard was overwritten");
  return bits;
}

}  // namespace detbench::testing
