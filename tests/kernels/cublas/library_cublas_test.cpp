// Loading cuBLAS needs no GPU; what may fail is said in one line. Every case is a process of its own, because a library that
// was found once stays found.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/cublas/library.hpp"
#include "kernels/cublas/version.hpp"
#include "kernels/device/dynamic_library.hpp"

namespace detbench {
namespace {

/// Prints the version or the reason, and exits 0 or 3.
[[noreturn]] void report(const std::string& folder) {
  setenv("DETBENCH_CUBLAS_DIR", folder.c_str(), 1);
  const auto version = cublas_version();
  std::fputs((version ? *version : version.error().text).c_str(), stderr);
  std::exit(version ? 0 : version.error().kind == Reason::Kind::unsupported ? 3 : 4);
}

class CublasLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    folder_ = std::filesystem::path(::testing::TempDir()) / ("detbench_cublas_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

using CublasLibraryDeathTest = CublasLibrary;

TEST_F(CublasLibraryDeathTest, AnEmptyFolderIsNamedWithTheVariableAndTheRemedy) {
  EXPECT_EXIT(report(folder_.string()), ::testing::ExitedWithCode(3),
              "no cuBLASLt here: libcublasLt.so.1[23] or libcublasLt.so.1[23] not found in .*detbench_cublas.*pip install.*DETBENCH_CUBLAS_DIR");
}

TEST_F(CublasLibraryDeathTest, AFileThatIsNoLibraryIsNamed) {
  for (const char* name : {"libcublasLt.so.12", "libcublasLt.so.13"}) std::ofstream(folder_ / name) << "not a library\n";
  EXPECT_EXIT(report(folder_.string()), ::testing::ExitedWithCode(3), "libcublasLt.so.1[23] does not load: .*libcublasLt.so.1[23]");
}

TEST_F(CublasLibraryDeathTest, AFolderWithHalfOfThePairIsRefused) {
  // Not cublas::library(): the child runs this too, and would have both libraries already.
  const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
  const auto lt = DynamicLibrary::load({"cuBLASLt", {name}, "DETBENCH_CUBLAS_DIR", {"cublas", "cu13", "cu12"}, "install it"});
  if (!lt) GTEST_SKIP() << lt.error().text;
  std::filesystem::create_symlink(lt->path(), folder_ / name);
  EXPECT_EXIT(report(folder_.string()), ::testing::ExitedWithCode(3), "no cuBLAS here: .* not found in .*detbench_cublas");
}

TEST_F(CublasLibrary, BothLibrariesAreOfTheHeadersMajorVersion) {
  const auto loaded = cublas::library();
  if (!loaded) GTEST_SKIP() << loaded.error().text;
  EXPECT_EQ((*loaded)->version / 10000, CUBLAS_VER_MAJOR);
  EXPECT_EQ(static_cast<int>((*loaded)->cublasLtGetVersion()), (*loaded)->version);
  EXPECT_EQ(cublas_version().value(), cublas::version_text((*loaded)->version));
  EXPECT_EQ((*loaded)->path.parent_path(), (*loaded)->lt_path.parent_path());
  EXPECT_EQ(cublas::version_text(130102), "13.1.2");
}

TEST_F(CublasLibrary, EveryWorkspaceConfigurationHasAnInstanceOfItsOwn) {
  const auto plain = cublas::library();
  if (!plain) GTEST_SKIP() << plain.error().text;
  EXPECT_EQ(cublas::library_for("").value(), *plain);
  const auto large = cublas::library_for(":4096:8"), small = cublas::library_for(":16:8");
  ASSERT_TRUE(large) << large.error().text;
  ASSERT_TRUE(small) << small.error().text;
  EXPECT_EQ(cublas::library_for(":4096:8").value(), *large);
  for (const auto& [one, other] : {std::pair{*plain, *large}, {*plain, *small}, {*large, *small}}) {
    EXPECT_NE(one->cublasCreate_v2, other->cublasCreate_v2);
    EXPECT_NE(one->cublasGemmEx_64, other->cublasGemmEx_64);
    EXPECT_EQ(one->cublasLtMatmul, other->cublasLtMatmul);
    EXPECT_EQ(one->version, other->version);
  }
  int major = 0;
  EXPECT_EQ((*small)->cublasGetProperty(MAJOR_VERSION, &major), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(major, CUBLAS_VER_MAJOR);
}

TEST_F(CublasLibrary, ReasonsKeepTheMeaningOfTheStatus) {
  const auto loaded = cublas::library();
  if (!loaded) GTEST_SKIP() << loaded.error().text;
  const auto reason = cublas::cublas_reason(**loaded, CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmul(handle, 3)");
  EXPECT_EQ(reason.text, "cublasLtMatmul: CUBLAS_STATUS_NOT_SUPPORTED (15)");
  EXPECT_EQ(reason.kind, Reason::Kind::unsupported);
  EXPECT_EQ(cublas::cublas_reason(**loaded, CUBLAS_STATUS_ALLOC_FAILED, "f()").kind, Reason::Kind::out_of_memory);
  EXPECT_EQ(cublas::cublas_reason(**loaded, CUBLAS_STATUS_EXECUTION_FAILED, "f()").kind, Reason::Kind::failed);
}

}  // namespace
}  // namespace detbench
