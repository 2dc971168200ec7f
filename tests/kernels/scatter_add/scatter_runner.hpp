// Runs one algorithm of scatter_add, index_add or weighted_histogram by name over updates that the test chose.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/problem.hpp"
#include "kernels/scatter_add/scatter_add.hpp"
#include "kernels/tensor/float_formats.hpp"

namespace detbench::testing {

/// Updates of one problem; values are what the stored type holds, widened.
struct Updates {
  std::string op = "scatter_add", types = "f32_f32_strict", words;  ///< words: "_adjacent_wide", ...
  std::int32_t bins = 1, hot = 0;
  std::int64_t width = 1;
  std::vector<double> values;
  std::vector<std::int32_t> indices;
  std::vector<float> samples;

  std::int64_t n() const { return static_cast<std::int64_t>(values.size()) / width; }
  std::string problem() const {
    std::string shape = "n" + std::to_string(n()) + "_bins" + std::to_string(bins);
    if (op == "scatter_add") shape += "_hot" + std::to_string(hot);
    if (op == "index_add") shape += "_d" + std::to_string(width) + (hot > 0 ? "_hot" + std::to_string(hot) : "");
    return op + "/" + shape + words + "/" + types + "/vector/";
  }
};

inline std::unique_ptr<Operation> operation_named(const std::string& op) {
  return op == "index_add" ? make_index_add_operation() : op == "weighted_histogram" ? make_weighted_histogram_operation() : make_scatter_add_operation();
}

inline void store_as(DataType type, double value, std::byte* to) {
  const auto put = [to](auto v) { std::memcpy(to, &v, sizeof v); };
  switch (type) {
    case DataType::f64: put(value); break;
    case DataType::f16: put(f16_from_float(static_cast<float>(value))); break;
    case DataType::bf16: put(bf16_from_float(static_cast<float>(value))); break;
    default: put(static_cast<float>(value));
  }
}
inline double load_as(DataType type, const std::byte* from) {
  const auto get = [from](auto v) { std::memcpy(&v, from, sizeof v); return v; };
  switch (type) {
    case DataType::f64: return get(0.0);
    case DataType::f16: return float_from_f16(get(std::uint16_t{0}));
    case DataType::bf16: return float_from_bf16(get(std::uint16_t{0}));
    default: return get(0.0f);
  }
}
inline double as_stored(DataType type, double value) {
  std::byte bytes[8];
  store_as(type, value, bytes);
  return load_as(type, bytes);
}

/// The outputs' bits; empty on a failure, whose reason is in `error`.
inline std::vector<std::uint64_t> scatter_bits(const Updates& updates, const std::string& algorithm, int threads, std::string& error,
                                               DeviceKind kind = DeviceKind::cpu) {
  const auto fail = [&](const std::string& text) {
    error = text;
    return std::vector<std::uint64_t>{};
  };
  error.clear();
  DeviceConfiguration configuration;
  configuration.threads = threads;
  const auto device = kind == DeviceKind::cpu ? make_cpu_device(configuration) : make_cuda_device(configuration);
  if (!device) return fail(device.error().text);
  if (const auto active = (*device)->activate(); !active) return fail(active.error().text);
  const auto name = parse_case_id(updates.problem() + algorithm);
  if (!name) return fail(name.error().text);
  const auto operation = operation_named(updates.op);
  const Provider* provider = operation->find_provider(name->algorithm.provider);
  if (provider == nullptr) return fail("no provider " + name->algorithm.provider);
  const auto plan = provider->plan(name->problem, name->algorithm, **device);
  if (!plan) return fail(plan.error().text);
  const auto stream = (*device)->make_stream();
  if (!stream) return fail(stream.error().text);
  const TensorSpec value_spec = (*plan)->inputs()[0], chooser_spec = (*plan)->inputs()[1], out_spec = (*plan)->outputs()[0];
  std::vector<std::byte> stored(value_spec.bytes());
  for (std::size_t i = 0; i < updates.values.size(); ++i) store_as(value_spec.type, updates.values[i], stored.data() + i * size_of(value_spec.type));
  const void* chooser = updates.samples.empty() ? static_cast<const void*>(updates.indices.data()) : updates.samples.data();

  const auto values = (*device)->allocate(value_spec.bytes()), choosers = (*device)->allocate(chooser_spec.bytes()), out = (*device)->allocate(out_spec.bytes());
  const auto workspace = (*device)->allocate(std::max<std::size_t>(64, (*plan)->workspace_bytes()));
  if (!values || !choosers || !out || !workspace) return fail("cannot allocate");
  const Tensor in[] = {{value_spec, (*values)->region()}, {chooser_spec, (*choosers)->region()}};
  const Tensor target{out_spec, (*out)->region()};
  const auto op = (*plan)->bind(in, {&target, 1}, (*workspace)->region(), **stream);
  if (!op) return fail(op.error().text);
  std::vector<std::byte> bytes(out_spec.bytes());
  const bool ran = (*device)->copy_from_host(in[0].region, stored.data(), **stream) && (*device)->copy_from_host(in[1].region, chooser, **stream) &&
                   (*device)->poison(target.region, Poison::nan_pattern, 1, **stream) &&
                   (*device)->poison((*workspace)->region(), Poison::random, 2, **stream) && (*op)->enqueue() &&
                   (*device)->copy_to_host(bytes.data(), target.region, **stream) && (*stream)->wait();
  if (!ran) return fail("the run failed");
  for (const Buffer* buffer : {values->get(), choosers->get(), out->get(), workspace->get()})
    if (buffer->damaged_guard()) return fail("a guard was overwritten");
  std::vector<std::uint64_t> bits(static_cast<std::size_t>(element_count(out_spec.shape)), 0);
  const std::size_t size = size_of(out_spec.type);
  for (std::size_t i = 0; i < bits.size(); ++i) std::memcpy(&bits[i], bytes.data() + i * size, size);
  return bits;
}

inline DataType stored_type(const std::string& types) { return *parse_data_type(types.substr(0, types.find('_'))); }
inline DataType bin_type(const std::string& types) {
  const auto from = types.find('_') + 1;
  return *parse_data_type(types.substr(from, types.find('_', from) - from));
}

/// n updates with significands of 26 random bits over `spread` binades, rounded to the stored type.
inline Updates random_updates(std::int64_t n, std::int32_t bins, std::int32_t hot, int spread = 12, const std::string& types = "f32_f32_strict",
                              std::int64_t width = 1) {
  std::mt19937_64 random(static_cast<std::uint64_t>(n + bins * 31 + hot + width * 7));
  Updates updates;
  updates.op = width > 1 ? "index_add" : "scatter_add";
  updates.types = types;
  updates.bins = bins;
  updates.hot = hot;
  updates.width = width;
  const int lowest = spread > 60 ? -120 : -30;  // sums stay finite
  for (std::int64_t i = 0; i < n * width; ++i) {
    const auto significand = static_cast<double>(static_cast<std::int64_t>(random()) >> 38);
    updates.values.push_back(
        as_stored(stored_type(types), std::ldexp(significand, lowest + static_cast<int>(random() % static_cast<unsigned>(spread)))));
  }
  for (std::int64_t i = 0; i < n; ++i) updates.indices.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(hot > 0 ? 2 * bins : bins)));
  return updates;
}

/// The bin of every update, by the words of the documentation and none of the code under test.
inline std::vector<std::int64_t> expected_bins(const Updates& u) {
  std::vector<std::int64_t> bins;
  for (std::int64_t i = 0; i < u.n(); ++i) {
    std::int64_t bin = 0;
    if (!u.samples.empty()) {
      const long double place = std::floor((static_cast<long double>(u.samples[static_cast<std::size_t>(i)]) + 1) * u.bins / 2);
      bin = static_cast<std::int64_t>(std::clamp<long double>(place, 0, u.bins - 1));
    } else if (u.words.find("_adjacent") == 0) {
      bin = (2 * i + 1) * u.bins / (2 * u.n());
    } else if (u.words.find("_spread") == 0) {
      bin = i % u.bins;
    } else if (u.words.find("_pairs") == 0) {
      bin = i / 2;
    } else {
      bin = u.indices[static_cast<std::size_t>(i)];
      if (bin >= u.bins) bin = (bin - u.bins) % u.hot;
    }
    bins.push_back(bin);
  }
  return bins;
}

/// The values of each output, in the order of updates.
inline std::vector<std::vector<double>> by_output(const Updates& u) {
  std::vector<std::vector<double>> outputs(static_cast<std::size_t>(u.bins * u.width));
  const auto bins = expected_bins(u);
  for (std::int64_t i = 0; i < u.n(); ++i)
    for (std::int64_t j = 0; j < u.width; ++j)
      outputs[static_cast<std::size_t>(bins[static_cast<std::size_t>(i)] * u.width + j)].push_back(u.values[static_cast<std::size_t>(i * u.width + j)]);
  return outputs;
}

/// sum(values) for every output, made from +0 in the accumulator's type and rounded to the bins' type.
template <class Sum>
std::vector<std::uint64_t> expected_bits(const Updates& u, Sum&& sum) {
  const DataType type = bin_type(u.types);
  std::vector<std::uint64_t> bits;
  for (const auto& values : by_output(u)) {
    std::uint64_t one = 0;
    std::byte bytes[8];
    store_as(type, sum(values), bytes);
    std::memcpy(&one, bytes, size_of(type));
    bits.push_back(one);
  }
  return bits;
}

}  // namespace detbench::testing
