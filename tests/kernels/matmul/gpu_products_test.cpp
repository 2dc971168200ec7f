// Matrix products on a GPU, where there is one: every arm of every provider against fp64, ours against the CPU's bits.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <vector>

#include "kernels/cublas/version.hpp"
#include "kernels/matmul/matmul_operation.hpp"
#include "kernels/matmul/operation.hpp"
#include "kernels/matmul/product_providers.hpp"

namespace detbench {
namespace {

constexpr const char* all_types[] = {"f32_f32_strict", "f32_f32_tf32", "f16_f32_strict", "bf16_f32_strict"};

/// Outputs of one run, copied to host memory.
struct Answer {
  std::vector<std::vector<std::byte>> bytes;
  std::vector<Tensor> tensors;
};

/// Runs an algorithm `times` in a row on poisoned memory; every answer is kept. Guards are checked.
Result<std::vector<Answer>> run(const Operation& operation, const Problem& problem, const Algorithm& algorithm, Device& device, const Inputs& inputs,
                                int times = 1) {
  const auto* provider = operation.find_provider(algorithm.provider);
  if (provider == nullptr) return failure("no provider " + algorithm.provider);
  auto plan = provider->plan(problem, algorithm, device);
  if (!plan) return tl::unexpected(plan.error());
  auto stream = device.make_stream();
  if (!stream) return tl::unexpected(stream.error());
  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto memory = [&](std::size_t bytes) -> Result<Region> {
    auto buffer = device.allocate(bytes);
    if (!buffer) return tl::unexpected(buffer.error());
    buffers.push_back(std::move(*buffer));
    return buffers.back()->region();
  };
  std::vector<Tensor> in, out;
  for (const auto& spec : (*plan)->inputs()) {
    const auto fill = operation.fill(problem, spec, inputs);
    if (!fill) return tl::unexpected(fill.error());
    auto region = memory(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    in.push_back({spec, *region});
    if (auto status = device.fill(in.back(), *fill, **stream); !status) return tl::unexpected(status.error());
  }
  for (const auto& spec : (*plan)->outputs()) {
    auto region = memory(spec.bytes());
    if (!region) return tl::unexpected(region.error());
    out.push_back({spec, *region});
  }
  auto workspace = memory(std::max<std::size_t>(64, (*plan)->workspace_bytes()));
  if (!workspace) return tl::unexpected(workspace.error());
  auto op = (*plan)->bind(in, out, *workspace, **stream);
  if (!op) return tl::unexpected(op.error());
  std::vector<Answer> answers;
  for (int i = 0; i < times; ++i) {
    for (const auto& tensor : out)
      if (auto status = device.poison(tensor.region, Poison::nan_pattern, 1, **stream); !status) return tl::unexpected(status.error());
    if (auto status = device.poison(*workspace, Poison::nan_pattern, 2, **stream); !status) return tl::unexpected(status.error());
    if (auto status = (*op)->enqueue(); !status) return tl::unexpected(status.error());
    Answer answer;
    for (const auto& tensor : out) {
      answer.bytes.emplace_back(tensor.spec.bytes());
      Region part = tensor.region;
      part.bytes = tensor.spec.bytes();
      if (auto status = device.copy_to_host(answer.bytes.back().data(), part, **stream); !status) return tl::unexpected(status.error());
      answer.tensors.push_back({tensor.spec, {answer.bytes.back().data(), answer.bytes.back().size()}});
    }
    answers.push_back(std::move(answer));
  }
  if (auto status = (*stream)->wait(); !status) return tl::unexpected(status.error());
  for (const auto& buffer : buffers)
    if (buffer->damaged_guard()) return failure("a guard zone was overwritten");
  return answers;
}

class GpuProducts : public ::testing::Test {
 protected:
  void SetUp() override {
    auto device = make_cuda_device();
    if (!device) GTEST_SKIP() << "no CUDA device: " << device.error().text;
    device_ = std::move(*device);
    ASSERT_TRUE(device_->activate());
    cpu_ = std::move(*make_cpu_device());
  }

  /// Verifies every offer of one provider, or each `step`-th; counts those that ran. What a library accepts in its check and then declines
  /// to run as unsupported is counted apart: its own documentation allows it for cuBLASLt.
  void verify(const Operation& operation, const Problem& problem, const std::string& name, InputFill fill, std::map<std::string, int>& ran,
              std::size_t step = 1) {
    const Inputs inputs{fill, 5};
    const auto reference = operation.reference(problem, inputs);
    ASSERT_TRUE(reference) << reference.error().text;
    const auto* provider = operation.find_provider(name);
    ASSERT_NE(provider, nullptr);
    const auto offers = provider->offers(problem, *device_);
    ASSERT_TRUE(offers) << offers.error().text;
    ASSERT_FALSE(offers->empty());
    for (std::size_t i = 0; i < offers->size(); i += step) {
      const auto& offer = (*offers)[i];
      const auto id = case_id(problem, offer.algorithm);
      SCOPED_TRACE(id);
      const auto named = parse_case_id(id);
      ASSERT_TRUE(named) << named.error().text;
      if (offer.unsupported) continue;
      // Partial sums that may be rounded to a narrow type are held to the exact fill only, where no sum is rounded.
      if (fill == InputFill::rounding && offer.algorithm.bound_constant > 1) continue;
      const auto answers = run(operation, problem, named->algorithm, *device_, inputs);
      if (!answers && answers.error().kind == Reason::Kind::unsupported) {
        ++ran["declined"];
        std::fprintf(stderr, "declined: %s: %s\n", id.c_str(), answers.error().text.c_str());
        continue;
      }
      if (!answers) {  // one arm that fails hides no other, unless it took the GPU with it
        ADD_FAILURE() << answers.error().text;
        ASSERT_TRUE(device_->usable());
        continue;
      }
      const auto found = (*reference)->check(offer.algorithm, answers->front().tensors);
      ASSERT_TRUE(found) << found.error().text;
      EXPECT_TRUE(found->passed) << found->reason;
      ++ran[name];
    }
  }

  std::unique_ptr<Device> device_, cpu_;
};

/// A test for each type: what crashes or hangs a library takes no other type with it.
class GpuLibraryProducts : public GpuProducts, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (const auto version = cublas_version(); !version) GTEST_SKIP() << version.error().text;
    GpuProducts::SetUp();
  }
};

TEST_P(GpuLibraryProducts, EveryArmOfCublasAgreesWithFp64) {
  const char* types = GetParam();
  const auto matmul = make_matmul_operation();
  std::map<std::string, int> ran;
  for (const char* layout : {"nn", "nt", "tn", "tt"})
    for (const char* shape : {"m1_n1_k1", "m33_n17_k65", "m64_n128_k2048"})
      for (const auto fill : {InputFill::exact, InputFill::rounding}) verify(*matmul, {"matmul", shape, types, layout}, "cublas", fill, ran);
  for (const auto pass : all_dense_passes)
    verify(*make_dense_operation(pass), {std::string(op_name(pass)), "mb8_ic96_oc40", types, "rowmajor"}, "cublas", InputFill::exact, ran);
  EXPECT_GT(ran["cublas"], 100);
  // Whether the library tunes (autotune), emulates or does without a workspace on this GPU is its own affair; the other arms
  // always run.
  EXPECT_LT(ran["declined"], ran["cublas"] / 2);
}

TEST_P(GpuLibraryProducts, EveryConfigurationOfCublasLtAgreesWithFp64) {
  const char* types = GetParam();
  AlgorithmSearch search;
  search.tiers = {Tier::t0, Tier::t1, Tier::t3};
  search.sample = 4, search.exhaustive_limit = 64;
  const auto matmul = make_matmul_operation(search);
  for (const auto& [shape, layout] : {std::pair{"m64_n48_k4096", "tn"}, {"m56_n40_k64", "nt"}}) {
    std::map<std::string, int> ran;
    for (const auto fill : {InputFill::exact, InputFill::rounding}) verify(*matmul, {"matmul", shape, types, layout}, "cublaslt", fill, ran);
    EXPECT_GT(ran["cublaslt"], 20) << shape;
    EXPECT_LT(ran["declined"], ran["cublaslt"]) << shape;
  }
  for (const auto pass : all_dense_passes) {
    std::map<std::string, int> ran;
    verify(*make_dense_operation(pass), {std::string(op_name(pass)), "mb8_ic96_oc40", types, "rowmajor"}, "cublaslt", InputFill::exact, ran);
    EXPECT_GT(ran["cublaslt"], 0) << op_name(pass);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GpuLibraryProducts, ::testing::ValuesIn(all_types), [](const auto& info) { return std::string(info.param); });

TEST_F(GpuProducts, NeighboursOfTheHeuristicsProposalsAgreeWithFp64) {
  AlgorithmSearch search;
  search.tiers = {Tier::t2};
  const auto matmul = make_matmul_operation(search);
  if (const auto version = cublas_version(); !version) GTEST_SKIP() << version.error().text;
  std::map<std::string, int> ran;
  verify(*matmul, {"matmul", "m64_n48_k4096", "bf16_f32_strict", "tn"}, "cublaslt", InputFill::exact, ran, 16);
  EXPECT_GT(ran["cublaslt"], 20);
}

TEST_F(GpuProducts, EveryOneOfOursAgreesWithFp64) {
  const auto matmul = make_matmul_operation();
  std::map<std::string, int> ran;
  for (const char* types : {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"}) {
    for (const char* layout : {"nn", "nt", "tn", "tt"})
      for (const char* shape : {"m1_n1_k1", "m33_n17_k300", "m70_n100_k5000", "m129_n65_k1025"})
        for (const auto fill : {InputFill::exact, InputFill::rounding})
          for (const char* provider : {"cuda", "fixed_order"}) verify(*matmul, {"matmul", shape, types, layout}, provider, fill, ran);
    for (const auto pass : all_dense_passes)
      for (const char* shape : {"mb8_ic96_oc40", "mb300_ic300_oc300"})
        for (const auto fill : {InputFill::exact, InputFill::rounding})
          for (const char* provider : {"cuda", "fixed_order"})
            verify(*make_dense_operation(pass), {std::string(op_name(pass)), shape, types, "rowmajor"}, provider, fill, ran);
  }
  EXPECT_GT(ran["cuda"], 100);
  EXPECT_GT(ran["fixed_order"], 100);
  EXPECT_EQ(ran["declined"], 0);
}

TEST_F(GpuProducts, OursHaveTheCpusBits) {
  const Inputs inputs{InputFill::rounding, 6};
  const auto expect_equal = [&](const Operation& operation, const Problem& problem, const Algorithm& algorithm) {
    const auto expected = run(operation, problem, algorithm, *cpu_, inputs), got = run(operation, problem, algorithm, *device_, inputs);
    ASSERT_TRUE(expected) << expected.error().text;
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_EQ(expected->front().bytes, got->front().bytes) << case_id(problem, algorithm);
  };
  const auto matmul = make_matmul_operation();
  for (const char* types : {"f32_f32_strict", "f16_f32_strict", "bf16_f32_strict"}) {
    for (const char* layout : {"nn", "nt", "tn", "tt"})
      for (const char* shape : {"m1_n1_k1", "m33_n17_k300", "m70_n100_k5000", "m32_n16_k40000", "m1500_n1600_k130"}) {
        const Problem problem{"matmul", shape, types, layout};
        expect_equal(*matmul, problem, {"fixed_order", "direct", {}, {}});
        for (const std::int64_t chunk : {7, 256, 1024}) {
          expect_equal(*matmul, problem, {"fixed_order", split_name("split_k_fixed", chunk), {}, {}});
        }
      }
    for (const auto pass : all_dense_passes)
      for (const char* shape : {"mb8_ic96_oc40", "mb37_ic1280_oc100"})
        for (const std::string& name : {std::string("direct"), split_name("split_k_fixed", 7), split_name("split_k_fixed", 1024)})
          expect_equal(*make_dense_operation(pass), {std::string(op_name(pass)), shape, types, "rowmajor"}, {"fixed_order", name, {}, {}});
  }
}

/// Denormals and zeros of both signs: where a sum that is padded with zeros would show.
TEST_F(GpuProducts, OursHaveTheCpusBitsNearZero) {
  const Inputs inputs{InputFill::wide, 6};
  const auto matmul = make_matmul_operation();
  for (const char* shape : {"m33_n17_k5", "m33_n17_k300"}) {
    const Problem problem{"matmul", shape, "f32_f32_strict", "nn"};
    const Algorithm direct{"fixed_order", "direct", {}, {}};
    const auto expected = run(*matmul, problem, direct, *cpu_, inputs), got = run(*matmul, problem, direct, *device_, inputs);
    ASSERT_TRUE(expected) << expected.error().text;
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_EQ(expected->front().bytes, got->front().bytes) << shape;
  }
}

TEST_F(GpuProducts, AtomicsDifferFromRunToRunAndTheFixedOrderDoesNot) {
  const auto matmul = make_matmul_operation();
  const Problem problem{"matmul", "m32_n16_k401408", "f32_f32_strict", "tn"};
  const Inputs inputs{InputFill::rounding, 6};
  const auto distinct = [&](const std::string& provider, const std::string& name) {
    const auto answers = run(*matmul, problem, {provider, name, {}, {}}, *device_, inputs, 20);
    EXPECT_TRUE(answers) << answers.error().text;
    std::map<std::vector<std::vector<std::byte>>, int> seen;
    if (answers)
      for (const auto& answer : *answers) ++seen[answer.bytes];
    return seen.size();
  };
  EXPECT_EQ(distinct("fixed_order", "split_k_fixed[CHUNK=1024]"), 1u);
  EXPECT_GT(distinct("cuda", "split_k_atomic[CHUNK=1024]"), 1u) << "392 parts meet in every output";
}

TEST_F(GpuProducts, ACapturedRunGivesTheBitsOfALaunchedOne) {
  const auto matmul = make_matmul_operation();
  const Problem problem{"matmul", "m64_n48_k4096", "f32_f32_strict", "tn"};
  std::vector<Algorithm> algorithms{{"fixed_order", "direct", {}, {}}, {"fixed_order", "split_k_fixed[CHUNK=256]", {}, {}}};
  if (cublas_version()) {
    const auto proposals = matmul->find_provider("cublaslt")->offers(problem, *device_);
    ASSERT_TRUE(proposals) << proposals.error().text;
    ASSERT_FALSE(proposals->front().unsupported) << proposals->front().unsupported->text;
    algorithms.push_back(proposals->front().algorithm);
    algorithms.push_back({"cublas", "default", {{"workspace", "4MiB"}}, {}});
    algorithms.push_back({"cublas", "default", {{"streams", "4"}, {"workspace", "32MiB"}}, {}});
  }
  for (const auto& algorithm : algorithms) {
    SCOPED_TRACE(algorithm_id(algorithm));
    auto plan = matmul->find_provider(algorithm.provider)->plan(problem, algorithm, *device_);
    ASSERT_TRUE(plan) << plan.error().text;
    const auto stream = std::move(*device_->make_stream());
    std::vector<std::unique_ptr<Buffer>> buffers;
    const auto memory = [&](std::size_t bytes) {
      buffers.push_back(std::move(*device_->allocate(std::max<std::size_t>(64, bytes))));
      return buffers.back()->region();
    };
    std::vector<Tensor> in, out;
    for (const auto& spec : (*plan)->inputs()) {
      in.push_back({spec, memory(spec.bytes())});
      ASSERT_TRUE(device_->fill(in.back(), *matmul->fill(problem, spec, {InputFill::rounding, 6}), *stream));
    }
    for (const auto& spec : (*plan)->outputs()) out.push_back({spec, memory(spec.bytes())});
    auto op = (*plan)->bind(in, out, memory((*plan)->workspace_bytes()), *stream);
    ASSERT_TRUE(op) << op.error().text;
    ASSERT_TRUE((*op)->enqueue());
    const auto launched = device_->digest(out, *stream);
    ASSERT_TRUE(launched) << launched.error().text;
    ASSERT_TRUE(stream->wait());
    ASSERT_TRUE(stream->begin_capture());
    const auto enqueued = (*op)->enqueue();
    auto captured = stream->end_capture();
    ASSERT_TRUE(enqueued) << enqueued.error().text;
    ASSERT_TRUE(captured) << captured.error().text;
    for (const auto& tensor : out) ASSERT_TRUE(device_->poison(tensor.region, Poison::nan_pattern, 1, *stream));
    ASSERT_TRUE((*captured)->enqueue(*stream));
    const auto replayed = device_->digest(out, *stream);
    ASSERT_TRUE(replayed) << replayed.error().text;
    EXPECT_EQ(*launched, *replayed);
  }
}

TEST_F(GpuProducts, AnUnalignedBufferIsDeclaredAsSuch) {
  DeviceConfiguration configuration;
  configuration.alignment_bytes = 4096, configuration.offset_bytes = 4;
  auto device = make_cuda_device(configuration);
  ASSERT_TRUE(device) << device.error().text;
  device_ = std::move(*device);
  ASSERT_TRUE(device_->activate());
  std::map<std::string, int> ran;
  const auto matmul = make_matmul_operation();
  std::vector<const char*> providers{"cuda", "fixed_order"};
  if (cublas_version()) providers.insert(providers.end(), {"cublas", "cublaslt"});
  for (const char* provider : providers) verify(*matmul, {"matmul", "m64_n48_k4096", "f32_f32_strict", "nn"}, provider, InputFill::exact, ran);
  for (const char* provider : providers) EXPECT_GT(ran[provider], 0) << provider;
}

TEST_F(GpuProducts, PlansForFewerMultiprocessorsStillAgreeWithFp64) {
  if (const auto version = cublas_version(); !version) GTEST_SKIP() << version.error().text;
  DeviceConfiguration configuration;
  configuration.sm_count_target = 16;
  auto device = make_cuda_device(configuration);
  ASSERT_TRUE(device) << device.error().text;
  device_ = std::move(*device);
  ASSERT_TRUE(device_->activate());
  std::map<std::string, int> ran;
  const auto matmul = make_matmul_operation();
  for (const char* provider : {"cublas", "cublaslt"}) verify(*matmul, {"matmul", "m64_n48_k4096", "f16_f32_strict", "tn"}, provider, InputFill::exact, ran);
  for (const char* provider : {"cublas", "cublaslt"}) EXPECT_GT(ran[provider], 0) << provider;
}

TEST_F(GpuProducts, WhatDoesNotExistIsRefusedWithAReason) {
  const auto matmul = make_matmul_operation();
  const Problem problem{"matmul", "m64_n48_k4096", "f32_f32_strict", "nn"};
  for (const auto& algorithm :
       {Algorithm{"cublaslt", "algo9999", {}, {}}, Algorithm{"cublaslt", "algo21[TILE_ID=60000]", {}, {}},
        Algorithm{"cublaslt", "algo21", {{"bytes", "110000:" + std::string(128, '0')}}, {}}, Algorithm{"cublas", "fast", {}, {}},
        Algorithm{"cuda", "direct", {}, {}}, Algorithm{"cuda", "split_k_fixed[CHUNK=256]", {}, {}}, Algorithm{"onednn", "any", {}, {}}}) {
    const auto plan = matmul->find_provider(algorithm.provider)->plan(problem, algorithm, *device_);
    ASSERT_FALSE(plan) << algorithm_id(algorithm);
    EXPECT_EQ(plan.error().text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace detbench
