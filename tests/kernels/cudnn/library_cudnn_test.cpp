// Which cuDNN is taken and which is refused, in processes of their own: a loaded library stays for the life of one. The
// library is made up (library/made_up.cpp), so that none has to be here.
#include "kernels/cudnn/library.hpp"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace detbench {
namespace {

class CudnnLibraryDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  /// Tells on stderr what library_for_gpu() or library() says of this version, and exits: 0 taken, 3 refused.
  [[noreturn]] static void report(const char* version, int cuda, bool for_gpu) {
    setenv("DETBENCH_CUDNN_DIR", DETBENCH_TEST_CUDNN_DIR, 1);
    setenv("DETBENCH_TEST_CUDNN_VERSION", version, 1);
    setenv("DETBENCH_TEST_CUDNN_CUDA", std::to_string(cuda).c_str(), 1);
    const auto found = for_gpu ? cudnn::library_for_gpu() : cudnn::library();
    std::fprintf(stderr, "%s\n", found ? (*found)->path.c_str() : found.error().text.c_str());
    std::_Exit(found ? 0 : 3);
  }
};

constexpr int ours = CUDART_VERSION, of_another_major = CUDART_VERSION >= 13000 ? 12080 : 13000;

TEST_F(CudnnLibraryDeathTest, OneThatFitsIsTaken) {
  EXPECT_EXIT(report("91900", ours, true), ::testing::ExitedWithCode(0), "library/libcudnn.so.9");
  EXPECT_EXIT(report("90800", ours, true), ::testing::ExitedWithCode(0), "");
}

TEST_F(CudnnLibraryDeathTest, AnOlderOneIsRefusedByItsVersion) {
  EXPECT_EXIT(report("90100", ours, false), ::testing::ExitedWithCode(3), "the cuDNN in .*libcudnn.so.9 is version 9.1.0: 9.8.0 or newer is needed");
  EXPECT_EXIT(report("90701", ours, false), ::testing::ExitedWithCode(3), "is version 9.7.1: 9.8.0 or newer is needed");
}

TEST_F(CudnnLibraryDeathTest, OneForAnotherCudaAnswersQuestionsAndDoesNoWork) {
  EXPECT_EXIT(report("91000", of_another_major, false), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(report("91000", of_another_major, true), ::testing::ExitedWithCode(3),
              "is made for CUDA 1[23], this program for CUDA 1[23]: pip install nvidia-cudnn-cu1[23], or set DETBENCH_CUDNN_DIR");
}

}  // namespace
}  // namespace detbench
