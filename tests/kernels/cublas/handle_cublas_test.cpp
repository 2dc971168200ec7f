// What cuBLAS is asked, held against a library of the test's own that writes down every call.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/cublas/handle.hpp"

namespace detbench::cublas {
namespace {

struct Call {
  int transa, transb, compute, algorithm;
  std::int64_t m, n, k, lda, ldb, ldc;
  cudaDataType in, out;
  const void *a, *b;
  void* c;
  double alpha, beta;
};
std::vector<std::string> said;
std::vector<Call> calls;
int token = 0;

const char* status_name(cublasStatus_t) { return "CUBLAS_STATUS_TEST"; }

Library recording_library() {
  said.clear(), calls.clear();
  Library library;
  library.cublasGetStatusName = status_name;
  library.cublasGetStatusString = status_name;
  library.cublasCreate_v2 = [](cublasHandle_t* handle) {
    const char* config = std::getenv("CUBLAS_WORKSPACE_CONFIG");
    said.push_back(std::string("create ") + (config == nullptr ? "unset" : config));
    *handle = reinterpret_cast<cublasHandle_t>(&token);
    return CUBLAS_STATUS_SUCCESS;
  };
  library.cublasDestroy_v2 = [](cublasHandle_t) { return said.push_back("destroy"), CUBLAS_STATUS_SUCCESS; };
  library.cublasSetMathMode = [](cublasHandle_t, cublasMath_t mode) { return said.push_back("math " + std::to_string(mode)), CUBLAS_STATUS_SUCCESS; };
  library.cublasGemmEx_64 = [](cublasHandle_t, cublasOperation_t transa, cublasOperation_t transb, std::int64_t m, std::int64_t n, std::int64_t k,
                               const void* alpha, const void* a, cudaDataType atype, std::int64_t lda, const void* b, cudaDataType btype,
                               std::int64_t ldb, const void* beta, void* c, cudaDataType ctype, std::int64_t ldc, cublasComputeType_t compute,
                               cublasGemmAlgo_t algorithm) {
    EXPECT_EQ(atype, btype);
    const bool wide = atype == CUDA_R_64F;
    calls.push_back({transa, transb, compute, algorithm, m, n, k, lda, ldb, ldc, atype, ctype, a, b, c,
                     wide ? *static_cast<const double*>(alpha) : static_cast<double>(*static_cast<const float*>(alpha)),
                     wide ? *static_cast<const double*>(beta) : static_cast<double>(*static_cast<const float*>(beta))});
    return CUBLAS_STATUS_SUCCESS;
  };
  return library;
}

TEST(CublasHandle, ReadsNoConfigurationButItsOwnAndPutsTheCallersBack) {
  const auto library = recording_library();
  unsetenv("CUBLAS_WORKSPACE_CONFIG");
  ASSERT_TRUE(Handle::make(library, ""));
  ASSERT_TRUE(Handle::make(library, ":16:8"));
  EXPECT_EQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), nullptr);
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:2", 1);
  ASSERT_TRUE(Handle::make(library, ""));
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:2");
  ASSERT_TRUE(Handle::make(library, ":4096:8"));
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:2");
  unsetenv("CUBLAS_WORKSPACE_CONFIG");
  EXPECT_EQ(said, (std::vector<std::string>{"create unset", "destroy", "create :16:8", "destroy", "create unset", "destroy", "create :4096:8", "destroy"}));
}

TEST(CublasHandle, AsksForTheTransposedProductWithFactorsOfTheComputeType) {
  const auto library = recording_library();
  auto handle = Handle::make(library, "");
  ASSERT_TRUE(handle);
  float a = 0, b = 0, out = 0;
  const Gemm gemm{2, 3, 5, false, true, DataType::bf16, DataType::f32, false};
  ASSERT_TRUE((*handle)->multiply(gemm, &a, &b, &out, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  ASSERT_EQ(calls.size(), 1u);
  const auto& c = calls[0];
  EXPECT_EQ(c.transa, CUBLAS_OP_T);  // its A is our b, which lies as 3 rows of 5
  EXPECT_EQ(c.transb, CUBLAS_OP_N);
  EXPECT_EQ((std::vector<std::int64_t>{c.m, c.n, c.k, c.lda, c.ldb, c.ldc}), (std::vector<std::int64_t>{3, 2, 5, 5, 5, 3}));
  EXPECT_EQ(c.a, &b);
  EXPECT_EQ(c.b, &a);
  EXPECT_EQ(c.c, &out);
  EXPECT_EQ(c.in, CUDA_R_16BF);
  EXPECT_EQ(c.out, CUDA_R_32F);
  EXPECT_EQ(c.compute, CUBLAS_COMPUTE_32F);
  EXPECT_EQ(c.algorithm, CUBLAS_GEMM_DEFAULT);
  EXPECT_EQ(c.alpha, 1);
  EXPECT_EQ(c.beta, 0);
  const Gemm wide{2, 3, 5, true, false, DataType::f64, DataType::f64, false};
  for (const auto compute : {CUBLAS_COMPUTE_64F, compute_fixed_point_f64}) {
    ASSERT_TRUE((*handle)->multiply(wide, &a, &b, &out, compute, CUBLAS_GEMM_DEFAULT));
    EXPECT_EQ(calls.back().alpha, 1);
    EXPECT_EQ(calls.back().beta, 0);
    EXPECT_EQ(calls.back().in, CUDA_R_64F);
    EXPECT_EQ((std::vector<std::int64_t>{calls.back().lda, calls.back().ldb}), (std::vector<std::int64_t>{3, 2}));
  }
}

TEST(CublasHandle, ALibraryWithoutEmulationSaysSo) {
  auto library = recording_library();
  library.version = 120500;
  auto handle = Handle::make(library, "");
  ASSERT_TRUE(handle);
  const auto status = (*handle)->emulate_eagerly();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, Reason::Kind::unsupported);
  EXPECT_NE(status.error().text.find("12.5.0"), std::string::npos) << status.error().text;
}

}  // namespace
}  // namespace detbench::cublas
