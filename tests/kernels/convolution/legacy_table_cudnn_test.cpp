// The table of legacy algorithms against the enums of the headers it is compiled with.
#include <cudnn.h>
#include <gtest/gtest.h>

#include "kernels/convolution/legacy_cudnn_table.hpp"

namespace detbench::legacy {
namespace {

int value_of(Direction direction, const std::string& name) {
  for (const auto& row : algorithms_of(direction))
    if (name == row.name) return row.value;
  return -1;
}

TEST(LegacyTableAndHeader, AgreeOnForward) {
  EXPECT_EQ(algorithms_of(Direction::forward).size(), static_cast<std::size_t>(CUDNN_CONVOLUTION_FWD_ALGO_COUNT));
  const auto f = [](const char* name) { return value_of(Direction::forward, name); };
  EXPECT_EQ(f("implicit_gemm"), CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
  EXPECT_EQ(f("implicit_precomp_gemm"), CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
  EXPECT_EQ(f("gemm"), CUDNN_CONVOLUTION_FWD_ALGO_GEMM);
  EXPECT_EQ(f("direct"), CUDNN_CONVOLUTION_FWD_ALGO_DIRECT);
  EXPECT_EQ(f("fft"), CUDNN_CONVOLUTION_FWD_ALGO_FFT);
  EXPECT_EQ(f("fft_tiling"), CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING);
  EXPECT_EQ(f("winograd"), CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD);
  EXPECT_EQ(f("winograd_nonfused"), CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED);
}

TEST(LegacyTableAndHeader, AgreeOnBackwardData) {
  EXPECT_EQ(algorithms_of(Direction::dgrad).size(), static_cast<std::size_t>(CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT));
  const auto d = [](const char* name) { return value_of(Direction::dgrad, name); };
  EXPECT_EQ(d("algo_0"), CUDNN_CONVOLUTION_BWD_DATA_ALGO_0);
  EXPECT_EQ(d("algo_1"), CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
  EXPECT_EQ(d("fft"), CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT);
  EXPECT_EQ(d("fft_tiling"), CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING);
  EXPECT_EQ(d("winograd"), CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD);
  EXPECT_EQ(d("winograd_nonfused"), CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED);
}

TEST(LegacyTableAndHeader, AgreeOnBackwardFilter) {
  EXPECT_EQ(algorithms_of(Direction::wgrad).size(), static_cast<std::size_t>(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT));
  const auto w = [](const char* name) { return value_of(Direction::wgrad, name); };
  EXPECT_EQ(w("algo_0"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0);
  EXPECT_EQ(w("algo_1"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
  EXPECT_EQ(w("fft"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT);
  EXPECT_EQ(w("algo_3"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3);
  EXPECT_EQ(w("winograd"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD);
  EXPECT_EQ(w("winograd_nonfused"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED);
  EXPECT_EQ(w("fft_tiling"), CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING);
}

TEST(LegacyTableAndHeader, AgreeOnMathTypes) {
  EXPECT_EQ(static_cast<int>(Math::default_math), CUDNN_DEFAULT_MATH);
  EXPECT_EQ(static_cast<int>(Math::tensor_op), CUDNN_TENSOR_OP_MATH);
  EXPECT_EQ(static_cast<int>(Math::tensor_op_allow_conversion), CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION);
  EXPECT_EQ(static_cast<int>(Math::fma), CUDNN_FMA_MATH);
}

}  // namespace
}  // namespace detbench::legacy
