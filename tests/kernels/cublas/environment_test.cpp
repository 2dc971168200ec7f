#include "kernels/cublas/environment.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace detbench {
namespace {

std::map<std::string, std::string> environment_of(std::vector<const char*> entries) { return cublas_environment(entries); }

TEST(CublasEnvironment, ListsWhatChangesBitsAndNothingElse) {
  const auto found = environment_of({"CUBLAS_WORKSPACE_CONFIG=:4096:8", "CUBLASLT_HEURISTICS_CACHE_CAPACITY=0", "NVIDIA_TF32_OVERRIDE=0", "HOME=/root",
                                     "MY_CUBLAS_THING=1", "CUBLAS_EMPTY=", "CUBLAS_WITH_EQUALS=a=b", "no_equals_sign", "NVIDIA_VISIBLE_DEVICES=all"});
  const std::map<std::string, std::string> expected{{"CUBLAS_WORKSPACE_CONFIG", ":4096:8"},
                                                    {"CUBLASLT_HEURISTICS_CACHE_CAPACITY", "0"},
                                                    {"NVIDIA_TF32_OVERRIDE", "0"},
                                                    {"CUBLAS_EMPTY", ""},
                                                    {"CUBLAS_WITH_EQUALS", "a=b"}};
  EXPECT_EQ(found, expected);
}

TEST(CublasEnvironment, ReadsThisProcess) {
  setenv("CUBLAS_EMULATION_STRATEGY", "performant", 1);
  EXPECT_EQ(cublas_environment()["CUBLAS_EMULATION_STRATEGY"], "performant");
  EXPECT_FALSE(check_cublas_environment());
  unsetenv("CUBLAS_EMULATION_STRATEGY");
  EXPECT_EQ(cublas_environment().count("CUBLAS_EMULATION_STRATEGY"), 0u);
}

TEST(CublasEnvironment, RefusesWhatReplacesTheArithmetic) {
  for (const char* entry : {"CUBLAS_EMULATE_SINGLE_PRECISION=1", "CUBLAS_EMULATE_DOUBLE_PRECISION=1", "CUBLAS_EMULATION_STRATEGY=eager",
                            "CUBLAS_FIXEDPOINT_EMULATION_MANTISSA_BIT_COUNT=55", "NVIDIA_TF32_OVERRIDE=0", "NVIDIA_TF32_OVERRIDE=1"}) {
    const auto status = check_cublas_environment(environment_of({"PATH=/bin", entry}));
    ASSERT_FALSE(status) << entry;
    EXPECT_EQ(status.error().kind, Reason::Kind::unsupported);
    EXPECT_NE(status.error().text.find(entry), std::string::npos) << status.error().text;
    EXPECT_NE(status.error().text.find("unset it"), std::string::npos) << status.error().text;
    EXPECT_EQ(status.error().text.find('\n'), std::string::npos);
  }
  for (const char* entry : {"CUBLAS_WORKSPACE_CONFIG=:16:8", "CUBLASLT_LOG_LEVEL=1", "PATH=/bin"})
    EXPECT_TRUE(check_cublas_environment(environment_of({entry}))) << entry;
}

}  // namespace
}  // namespace detbench
