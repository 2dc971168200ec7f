// The descriptors of the legacy API, which need a library but no GPU.
#include "kernels/convolution/legacy_calls_cudnn.hpp"

#include <gtest/gtest.h>

#include "kernels/convolution/pad.hpp"
#include "shapes.hpp"

namespace detbench::legacy {
namespace {

/// The library counts the same output sizes for every problem in its symmetric form, in every direction, layout and type.
TEST(LegacyCalls, StateEveryProblem) {
  const auto library = cudnn::library();
  if (!library) GTEST_SKIP() << library.error().text;
  for (auto p : testing::small_shapes())
    for (const auto direction : all_directions)
      for (const char* layout : {"nhwc", "nchw"})
        for (const auto storage : {DataType::f32, DataType::f16, DataType::bf16}) {
          p.direction = direction, p.layout = layout, p.types.storage = storage;
          auto calls = Calls::make(**library, symmetric_form(p).problem);
          ASSERT_TRUE(calls) << problem_id(to_problem(p)) << ": " << calls.error().text;
          for (const auto math : all_math) EXPECT_TRUE(calls->set_math(math));
          EXPECT_TRUE(Calls::make(**library, symmetric_form(p).problem, true));
          auto moved = std::move(*calls);  // the plan keeps them so; destroying the moved-from one must not free twice
          EXPECT_TRUE(moved.set_math(Math::fma));
        }
}

TEST(LegacyCalls, RefuseUnequalPadsAndBlockedLayouts) {
  const auto library = cudnn::library();
  if (!library) GTEST_SKIP() << library.error().text;
  EXPECT_FALSE(Calls::make(**library, testing::small_shapes()[0]));
  auto p = testing::small_shapes()[1];
  p.layout = "blocked";
  EXPECT_FALSE(Calls::make(**library, p));
}

/// What the library was told by the last call, under the names that a forward pass gives them.
struct Told {
  const void *src = nullptr, *weights = nullptr, *dst = nullptr;
  const void *src_desc = nullptr, *weights_desc = nullptr, *dst_desc = nullptr;
  int algorithm = -1;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  double alpha = -1, beta = -1;
} told;

double scale(const void* value) { return *static_cast<const float*>(value); }

/// The real library with the three convolutions replaced by functions that write down what they are given.
cudnn::Library recording(const cudnn::Library& real) {
  auto library = real;
  library.cudnnConvolutionForward = [](cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x,
                                       const cudnnFilterDescriptor_t wd, const void* w, const cudnnConvolutionDescriptor_t,
                                       cudnnConvolutionFwdAlgo_t algo, void* ws, std::size_t bytes, const void* beta,
                                       const cudnnTensorDescriptor_t yd, void* y) {
    told = {x, w, y, xd, wd, yd, algo, ws, bytes, scale(alpha), scale(beta)};
    return CUDNN_STATUS_SUCCESS;
  };
  library.cudnnConvolutionBackwardData = [](cudnnHandle_t, const void* alpha, const cudnnFilterDescriptor_t wd, const void* w,
                                            const cudnnTensorDescriptor_t dyd, const void* dy, const cudnnConvolutionDescriptor_t,
                                            cudnnConvolutionBwdDataAlgo_t algo, void* ws, std::size_t bytes, const void* beta,
                                            const cudnnTensorDescriptor_t dxd, void* dx) {
    told = {dx, w, dy, dxd, wd, dyd, algo, ws, bytes, scale(alpha), scale(beta)};
    return CUDNN_STATUS_SUCCESS;
  };
  library.cudnnConvolutionBackwardFilter = [](cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x,
                                              const cudnnTensorDescriptor_t dyd, const void* dy, const cudnnConvolutionDescriptor_t,
                                              cudnnConvolutionBwdFilterAlgo_t algo, void* ws, std::size_t bytes, const void* beta,
                                              const cudnnFilterDescriptor_t dwd, void* dw) {
    told = {x, dw, dy, xd, dwd, dyd, algo, ws, bytes, scale(alpha), scale(beta)};
    return CUDNN_STATUS_SUCCESS;
  };
  return library;
}

/// Every direction hands its tensors over in their own places, on the descriptors of those places.
TEST(LegacyCalls, PassTensorsInTheirPlaces) {
  const auto real = cudnn::library();
  if (!real) GTEST_SKIP() << real.error().text;
  const auto library = recording(**real);
  auto p = testing::small_shapes()[3];
  char first, second, out, scratch;
  for (const auto direction : all_directions) {
    p.direction = direction;
    const auto calls = Calls::make(library, p);
    ASSERT_TRUE(calls) << calls.error().text;
    told = {};
    ASSERT_TRUE(calls->run(nullptr, 5, &first, &second, &out, {&scratch, 77}));
    // tensors_of(): forward src, weights -> dst; dgrad diff_dst, weights -> diff_src; wgrad src, diff_dst -> diff_weights.
    EXPECT_EQ(told.src, direction == Direction::dgrad ? &out : &first) << op_name(direction);
    EXPECT_EQ(told.weights, direction == Direction::wgrad ? &out : &second) << op_name(direction);
    EXPECT_EQ(told.dst, direction == Direction::forward ? &out : direction == Direction::dgrad ? &first : &second) << op_name(direction);
    EXPECT_EQ(told.algorithm, 5);
    EXPECT_EQ(told.workspace, &scratch);
    EXPECT_EQ(told.workspace_bytes, 77u);
    EXPECT_EQ(told.alpha, 1);
    EXPECT_EQ(told.beta, 0);
    EXPECT_NE(told.src_desc, told.dst_desc);
    EXPECT_NE(told.weights_desc, nullptr);
  }
}

/// Rows come over with their units, and the call is given as much room as the library asked for.
TEST(LegacyCalls, ReadTheRowsOfThePerfStruct) {
  const auto real = cudnn::library();
  if (!real) GTEST_SKIP() << real.error().text;
  auto library = **real;
  library.cudnnGetConvolutionBackwardFilterAlgorithmMaxCount = [](cudnnHandle_t, int* count) {
    *count = 3;
    return CUDNN_STATUS_SUCCESS;
  };
  library.cudnnGetConvolutionBackwardFilterAlgorithm_v7 =
      [](cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t, const cudnnConvolutionDescriptor_t,
         const cudnnFilterDescriptor_t, const int most, int* count, cudnnConvolutionBwdFilterAlgoPerf_t* rows) {
        EXPECT_EQ(most, 3);
        rows[0] = {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, CUDNN_STATUS_SUCCESS, 2.5f, 4096, CUDNN_NON_DETERMINISTIC, CUDNN_FMA_MATH, {}};
        rows[1] = {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING, CUDNN_STATUS_NOT_SUPPORTED, -1.0f, 0, CUDNN_DETERMINISTIC, CUDNN_DEFAULT_MATH, {}};
        *count = 2;
        return CUDNN_STATUS_SUCCESS;
      };
  auto p = testing::small_shapes()[3];
  p.direction = Direction::wgrad;
  const auto calls = Calls::make(library, p);
  ASSERT_TRUE(calls);
  const auto rows = calls->get_v7(nullptr);
  ASSERT_TRUE(rows) << rows.error().text;
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].algorithm, 3);
  EXPECT_TRUE((*rows)[0].succeeded);
  EXPECT_NEAR((*rows)[0].time_s, 2.5e-3, 1e-9);
  EXPECT_EQ((*rows)[0].memory_bytes, 4096u);
  EXPECT_FALSE((*rows)[0].deterministic);
  EXPECT_EQ((*rows)[0].math, static_cast<int>(Math::fma));
  EXPECT_EQ((*rows)[1].algorithm, 6);
  EXPECT_FALSE((*rows)[1].succeeded);
  EXPECT_EQ((*rows)[1].time_s, -1);
}

/// The status of the query decides, and its words are the reason.
TEST(LegacyCalls, TellWhyAnAlgorithmDoesNotExist) {
  const auto real = cudnn::library();
  if (!real) GTEST_SKIP() << real.error().text;
  auto library = **real;
  library.cudnnGetConvolutionForwardWorkspaceSize = [](cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnFilterDescriptor_t,
                                                       const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
                                                       cudnnConvolutionFwdAlgo_t algorithm, std::size_t* bytes) {
    *bytes = 1234;
    return algorithm == CUDNN_CONVOLUTION_FWD_ALGO_GEMM     ? CUDNN_STATUS_SUCCESS
           : algorithm == CUDNN_CONVOLUTION_FWD_ALGO_DIRECT ? CUDNN_STATUS_NOT_SUPPORTED
                                                            : CUDNN_STATUS_BAD_PARAM;
  };
  const auto calls = Calls::make(library, testing::small_shapes()[3]);
  ASSERT_TRUE(calls);
  EXPECT_EQ(calls->workspace_bytes(nullptr, CUDNN_CONVOLUTION_FWD_ALGO_GEMM).value(), 1234u);
  for (const auto& [algorithm, word] : {std::pair{CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, "NOT_SUPPORTED"}, {CUDNN_CONVOLUTION_FWD_ALGO_FFT, "BAD_PARAM"}}) {
    const auto refused = calls->workspace_bytes(nullptr, algorithm);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Reason::Kind::unsupported);
    EXPECT_NE(refused.error().text.find(word), std::string::npos) << refused.error().text;
  }
}

}  // namespace
}  // namespace detbench::legacy
