// What a train step does beside its layers, on the threads in force (OMP_NUM_THREADS), against memcpy. Bytes per second
// count what is read and what is written; memory is larger than most caches. The optimizers update 160 tensors of mixed size in place, as in
// a network.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "kernels/device/reorder.hpp"
#include "kernels/dropout/step_dropout.hpp"
#include "kernels/optimizer/optimizer.hpp"
#include "kernels/training/loss_scale.hpp"
#include "kernels/training/scale.hpp"

namespace detbench {
namespace {

constexpr std::int64_t elements = std::int64_t{1} << 23;

/// A plan bound to memory of its own; the first outputs are the memory of inputs from `in_place` on, if that is not negative.
class Bound {
 public:
  explicit Bound(Result<std::unique_ptr<Plan>> (*make)(Device&), int in_place = -1) {
    device_ = std::move(make_cpu_device().value());
    stream_ = std::move(device_->make_stream().value());
    plan_ = std::move(make(*device_).value());
    std::vector<Tensor> inputs, outputs;
    for (const auto& spec : plan_->inputs()) inputs.push_back(allocate(spec));
    for (std::size_t o = 0; o < plan_->outputs().size(); ++o)
      outputs.push_back(in_place < 0 ? allocate(plan_->outputs()[o]) : inputs[static_cast<std::size_t>(in_place) + o]);
    op_ = std::move(plan_->bind(inputs, outputs, {}, *stream_).value());
  }
  void run(benchmark::State& state, double bytes) {
    for (auto _ : state)
      if (!op_->enqueue()) return state.SkipWithError("enqueue");
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes * static_cast<double>(state.iterations())));
  }

 private:
  Tensor allocate(const TensorSpec& spec) {
    buffers_.push_back(std::move(device_->allocate(spec.bytes()).value()));
    const Tensor tensor{spec, buffers_.back()->region()};
    // Ordinary numbers: denormals would be slow for a reason of their own.
    if (!device_->fill(tensor, {spec.type == DataType::i32 ? FillSpec::Kind::index : FillSpec::Kind::constant, 1, "x", 0.5, 1, 1.0}, *stream_)) std::abort();
    return tensor;
  }
  std::unique_ptr<Device> device_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Plan> plan_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<Op> op_;
};

std::vector<std::int64_t> sizes() {
  std::vector<std::int64_t> all;
  for (int i = 0; i < 128; ++i) all.push_back(std::int64_t{32} << (i % 6));
  for (int i = 0; i < 32; ++i) all.push_back(elements / 32);
  return all;
}

template <OptimizerSpec::Kind kind>
Result<std::unique_ptr<Plan>> make_optimizer(Device& device) {
  OptimizerSpec spec;
  spec.kind = kind, spec.momentum = kind == OptimizerSpec::adam ? 0 : 0.9;
  return plan_optimizer(sizes(), std::vector<bool>(sizes().size(), true), spec, false, 1, device);
}

void memcpy_bytes(benchmark::State& state) {
  std::vector<float> from(elements, 1.0f), to(elements, 2.0f);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), elements * 4);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * elements * 8);
}
void optimizer(benchmark::State& state, Result<std::unique_ptr<Plan>> (*make)(Device&), int slots) {
  Bound(make, static_cast<int>(sizes().size())).run(state, 4.0 * elements * (3 + 2 * slots));
}
void plain(benchmark::State& state, Result<std::unique_ptr<Plan>> (*make)(Device&), double bytes) { Bound(make).run(state, bytes * elements); }

BENCHMARK(memcpy_bytes)->UseRealTime();
BENCHMARK_CAPTURE(optimizer, sgd_momentum, make_optimizer<OptimizerSpec::sgd>, 1)->UseRealTime();
BENCHMARK_CAPTURE(optimizer, rmsprop_momentum, make_optimizer<OptimizerSpec::rmsprop>, 2)->UseRealTime();
BENCHMARK_CAPTURE(optimizer, adam, make_optimizer<OptimizerSpec::adam>, 2)->UseRealTime();
BENCHMARK_CAPTURE(plain, all_finite, [](Device& d) { return plan_all_finite({elements}, d); }, 4)->UseRealTime();
BENCHMARK_CAPTURE(plain, dropout, [](Device& d) { return plan_step_dropout({8, elements / 8, 0.2, false, 1, "x"}, DataType::f32, d); }, 8)->UseRealTime();
BENCHMARK_CAPTURE(plain, drop_connect, [](Device& d) { return plan_step_dropout({8, elements / 8, 0.2, true, 1, "x"}, DataType::f32, d); }, 8)->UseRealTime();
BENCHMARK_CAPTURE(plain, f32_to_bf16, [](Device& d) { return plan_cast_scale(elements, DataType::f32, DataType::bf16, false, d); }, 6)->UseRealTime();
BENCHMARK_CAPTURE(plain, f32_to_f16, [](Device& d) { return plan_cast_scale(elements, DataType::f32, DataType::f16, false, d); }, 6)->UseRealTime();
BENCHMARK_CAPTURE(plain, f16_to_f32, [](Device& d) { return plan_cast_scale(elements, DataType::f16, DataType::f32, true, d); }, 6)->UseRealTime();
BENCHMARK_CAPTURE(plain, rescale, [](Device& d) { return plan_rescale(elements, 1 / 127.5, -1, DataType::f32, d); }, 8)->UseRealTime();
TensorSpec image(DataType type, const char* layout) {
  const Shape shape{8, 128, 128, 64};
  return {"x", type, shape, *activation_layout(shape, layout)};
}
BENCHMARK_CAPTURE(plain, nhwc_to_nchw, [](Device& d) { return plan_own_reorder(image(DataType::f32, "nhwc"), image(DataType::f32, "nchw"), d); }, 8)->UseRealTime();
BENCHMARK_CAPTURE(plain, nchw16c_f32_to_nhwc_bf16, [](Device& d) { return plan_own_reorder(image(DataType::f32, "nchw16c"), image(DataType::bf16, "nhwc"), d); }, 6)->UseRealTime();

}  // namespace
}  // namespace detbench

BENCHMARK_MAIN();
