// Digests and fills of one activation tensor on one core, against memcpy of the same bytes; bytes per second are of the
// tensor's size (memcpy reads and writes them). METHOD section 8 and DESIGN section 11 ask for a third of memcpy.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstring>
#include <vector>

#include "kernels/tensor/compare.hpp"
#include "kernels/tensor/digest.hpp"
#include "kernels/tensor/fill.hpp"

namespace detbench {
namespace {

struct Memory {
  std::vector<std::byte> bytes;
  Tensor tensor;
  Memory(const char* layout, DataType type) {
    const Shape shape{8, 112, 112, 96};  // 37 MiB of f32: larger than most caches per core
    tensor.spec = {"src", type, shape, *activation_layout(shape, layout)};
    bytes.resize(tensor.spec.bytes());
    tensor.region = {bytes.data(), bytes.size()};
  }
};

FillSpec fill_of(FillSpec::Kind kind) { return {kind, 1, "benchmark", 1.0, 8, 0.5}; }

void count(benchmark::State& state, const Memory& memory) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(memory.bytes.size()));
}

void copy_bytes(benchmark::State& state) {
  const Memory from("nhwc", DataType::f32);
  Memory to("nhwc", DataType::f32);
  std::memset(to.bytes.data(), 1, to.bytes.size());
  for (auto _ : state) {
    std::memcpy(to.bytes.data(), from.bytes.data(), from.bytes.size());
    benchmark::ClobberMemory();
  }
  count(state, from);
}

void digest(benchmark::State& state, const char* layout, DataType type) {
  Memory memory(layout, type);
  if (!fill_on_host(memory.tensor, fill_of(FillSpec::Kind::uniform))) return state.SkipWithError("fill");
  for (auto _ : state) benchmark::DoNotOptimize(digest_on_host({&memory.tensor, 1}));
  count(state, memory);
}

void fill(benchmark::State& state, const char* layout, FillSpec::Kind kind) {
  Memory memory(layout, DataType::f32);
  for (auto _ : state)
    if (!fill_on_host(memory.tensor, fill_of(kind))) return state.SkipWithError("fill");
  count(state, memory);
}

void compare(benchmark::State& state, const char* layout) {
  Memory a("nhwc", DataType::f32), b(layout, DataType::f32);
  for (Memory* memory : {&a, &b})
    if (!fill_on_host(memory->tensor, fill_of(FillSpec::Kind::uniform))) return state.SkipWithError("fill");
  for (auto _ : state) benchmark::DoNotOptimize(compare_on_host(a.tensor, b.tensor));
  count(state, a);
}

BENCHMARK(copy_bytes);
BENCHMARK_CAPTURE(digest, nhwc, "nhwc", DataType::f32);
BENCHMARK_CAPTURE(digest, nchw, "nchw", DataType::f32);
BENCHMARK_CAPTURE(digest, nchw16c, "nchw16c", DataType::f32);
BENCHMARK_CAPTURE(digest, nchw8c, "nchw8c", DataType::f32);
BENCHMARK_CAPTURE(digest, nhwc_bf16, "nhwc", DataType::bf16);
BENCHMARK_CAPTURE(digest, nchw_bf16, "nchw", DataType::bf16);
BENCHMARK_CAPTURE(digest, nchw16c_bf16, "nchw16c", DataType::bf16);
BENCHMARK_CAPTURE(fill, uniform_nhwc, "nhwc", FillSpec::Kind::uniform);
BENCHMARK_CAPTURE(fill, uniform_nchw, "nchw", FillSpec::Kind::uniform);
BENCHMARK_CAPTURE(fill, normal_nhwc, "nhwc", FillSpec::Kind::normal);
BENCHMARK_CAPTURE(fill, integers_nhwc, "nhwc", FillSpec::Kind::integers);
BENCHMARK_CAPTURE(compare, equal_nhwc, "nhwc");
BENCHMARK_CAPTURE(compare, equal_nchw, "nchw");

}  // namespace
}  // namespace detbench

int main(int argc, char** argv) {
  omp_set_num_threads(1);  // figures are per core
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
