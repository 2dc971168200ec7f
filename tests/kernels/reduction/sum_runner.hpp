// Runs one sum by name over values that the test chose.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/problem.hpp"
#include "kernels/reduction/sum.hpp"

namespace detbench::testing {

template <class T>
inline constexpr const char* sum_types = sizeof(T) == 4 ? "f32_f32_strict" : "f64_f64_strict";
template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// An operation, a device and a problem size that can be run again and again, plans made once.
class SumRunner {
 public:
  SumRunner(const DeviceConfiguration& configuration, std::size_t n, const char* types, const std::string& algorithm,
            DeviceKind kind = DeviceKind::cpu) {
    auto device = kind == DeviceKind::cpu ? make_cpu_device(configuration) : make_cuda_device(configuration);
    if (!device) {
      error_ = device.error().text;
      return;
    }
    device_ = std::move(*device);
    if (auto active = device_->activate(); !active) {
      error_ = active.error().text;
      return;
    }
    operation_ = make_sum_operation();
    const std::string id = "sum/n" + std::to_string(n) + "/" + types + "/vector/" + algorithm;
    const auto name = parse_case_id(id);
    if (!name) {
      error_ = name.error().text;
      return;
    }
    const Provider* provider = operation_->find_provider(name->algorithm.provider);
    if (provider == nullptr) {
      error_ = "no provider " + name->algorithm.provider;
      return;
    }
    auto plan = provider->plan(name->problem, name->algorithm, *device_);
    if (!plan) {
      error_ = plan.error().text;
      return;
    }
    plan_ = std::move(*plan);
    auto stream = device_->make_stream();
    if (!stream) {
      error_ = stream.error().text;
      return;
    }
    stream_ = std::move(*stream);
    auto in = device_->allocate(plan_->inputs()[0].bytes()), out = device_->allocate(plan_->outputs()[0].bytes());
    DeviceConfiguration aligned;  // a workspace is aligned to 64 bytes whatever the placement of tensors
    auto work_device = kind == DeviceKind::cpu ? make_cpu_device(aligned) : make_cuda_device(aligned);
    if (!in || !out || !work_device) {
      error_ = "cannot allocate";
      return;
    }
    work_device_ = std::move(*work_device);
    auto work = work_device_->allocate(std::max<std::size_t>(64, plan_->workspace_bytes()));
    if (!work) {
      error_ = work.error().text;
      return;
    }
    in_ = std::move(*in);
    out_ = std::move(*out);
    work_ = std::move(*work);
    const Tensor source{plan_->inputs()[0], in_->region()}, target{plan_->outputs()[0], out_->region()};
    auto op = plan_->bind({&source, 1}, {&target, 1}, work_->region(), *stream_);
    if (!op) {
      error_ = op.error().text;
      return;
    }
    op_ = std::move(*op);
  }

  const std::string& error() const { return error_; }
  Device& device() { return *device_; }
  bool guards_intact() const { return !in_->damaged_guard() && !out_->damaged_guard() && !work_->damaged_guard(); }

  template <class T>
  bool set(const std::vector<T>& values) {
    return device_->copy_from_host(in_->region(), values.data(), *stream_).has_value() && stream_->wait().has_value();
  }
  /// The sum's bits; the output is poisoned before.
  template <class T>
  BitsOf<T> bits() {
    BitsOf<T> bits = 0x5A5A5A5A;
    const bool ran = device_->poison(out_->region(), Poison::random, 7, *stream_) &&
                     device_->poison(work_->region(), Poison::nan_pattern, 8, *stream_) && op_->enqueue() &&
                     device_->copy_to_host(&bits, out_->region(), *stream_) && stream_->wait();
    if (!ran) error_ = "the run failed";
    return bits;
  }

 private:
  std::string error_;
  std::unique_ptr<Device> device_, work_device_;
  std::unique_ptr<Operation> operation_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Buffer> in_, out_, work_;
  std::unique_ptr<Op> op_;
};

/// Bits of the sum of `values` by one algorithm with so many threads; a test failure shows as the text of error().
template <class T>
BitsOf<T> sum_bits(const std::vector<T>& values, const std::string& algorithm, int threads, std::string& error,
                   DeviceKind kind = DeviceKind::cpu) {
  DeviceConfiguration configuration;
  configuration.threads = threads;
  SumRunner runner(configuration, values.size(), sum_types<T>, algorithm, kind);
  error = runner.error();
  if (!error.empty() || !runner.set(values)) return 0;
  const auto bits = runner.bits<T>();
  error = runner.error();
  if (error.empty() && !runner.guards_intact()) error = "a guard was overwritten";
  return bits;
}

template <class T>
BitsOf<T> bits_of_value(T value) {
  BitsOf<T> bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

}  // namespace detbench::testing
