// The search for vendor libraries, over folders made for the purpose: a library here is a copy of one that this test's
// own build made (tests/kernels/device/CMakeLists.txt), so that it can be told apart by the function it has.
#include "kernels/device/dynamic_library.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

namespace detbench {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DynamicLibraryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("detbench libraries " + std::to_string(getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  /// A library of this name in root_/folder. Each test uses names of its own: what a process has loaded stays loaded.
  fs::path put(const std::string& folder, const std::string& name, const char* source = DETBENCH_TEST_LIBRARY) {
    fs::create_directories(root_ / folder);
    fs::copy_file(source, root_ / folder / name);
    return fs::canonical(root_ / folder / name);
  }
  LibrarySearch search(const std::string& file) const {
    return {"Foo 9", {file}, "DETBENCH_TEST_FOO_DIR", {"foo", "cu13"}, "install foo"};
  }
  fs::path root_;
};

/// What a function prints and returns in a process of its own, where it may set variables and load what it likes.
std::string elsewhere(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t pid = fork();
  if (pid == 0) {
    const auto text = body();
    const auto written = write(ends[1], text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int state = 0;
  waitpid(pid, &state, 0);
  return WIFEXITED(state) ? text : "died";
}

std::string loaded_or_reason(const LibrarySearch& search) {
  const auto library = DynamicLibrary::load(search);
  return library ? library->path().string() : "no: " + library.error().text;
}

TEST_F(DynamicLibraryTest, TheVariableDecidesAlone) {
  const auto named = put("named", "libfoo_named.so.9");
  put("toolkit/lib64", "libfoo_named.so.9");
  EXPECT_EQ(elsewhere([&] {
              setenv("DETBENCH_TEST_FOO_DIR", (root_ / "named").c_str(), 1);
              setenv("CUDA_PATH", (root_ / "toolkit").c_str(), 1);
              return loaded_or_reason(search("libfoo_named.so.9"));
            }),
            named.string());
  // Set to a folder without it: nothing else is tried, even where it would be found.
  fs::create_directories(root_ / "empty");
  const auto reason = elsewhere([&] {
    setenv("DETBENCH_TEST_FOO_DIR", (root_ / "empty").c_str(), 1);
    setenv("CUDA_PATH", (root_ / "toolkit").c_str(), 1);
    return loaded_or_reason(search("libfoo_named.so.9"));
  });
  EXPECT_THAT(reason, HasSubstr("no: no Foo 9 here: libfoo_named.so.9 not found in " + (root_ / "empty").string()));
  EXPECT_THAT(reason, HasSubstr("install foo"));
  EXPECT_THAT(reason, HasSubstr("DETBENCH_TEST_FOO_DIR"));
  EXPECT_THAT(reason, Not(HasSubstr("toolkit")));
  EXPECT_EQ(reason.find('\n'), std::string::npos);
}

TEST_F(DynamicLibraryTest, AToolkitComesBeforeAWheel) {
  const auto wheel = put("venv/lib/python3.11/site-packages/nvidia/foo/lib", "libfoo_wheel.so.9");
  const auto other = put("venv/lib/python3.11/site-packages/nvidia/cu13/lib", "libfoo_cu13.so.9");
  const auto toolkit = put("toolkit/targets/x86_64-linux/lib", "libfoo_toolkit.so.9");
  put("venv/lib/python3.11/site-packages/nvidia/foo/lib", "libfoo_toolkit.so.9");
  const auto with = [&](const std::string& file) {
    return elsewhere([&] {
      setenv("VIRTUAL_ENV", (root_ / "venv").c_str(), 1);
      setenv("CUDA_HOME", (root_ / "toolkit").c_str(), 1);
      return loaded_or_reason(search(file));
    });
  };
  EXPECT_EQ(with("libfoo_toolkit.so.9"), toolkit.string());
  EXPECT_EQ(with("libfoo_wheel.so.9"), wheel.string());
  EXPECT_EQ(with("libfoo_cu13.so.9"), other.string());
}

TEST_F(DynamicLibraryTest, AWheelOfThePythonOnThePathIsFound) {
  const auto wheel = put("opt/env/lib/python3.12/site-packages/nvidia/foo/lib", "libfoo_python.so.9");
  fs::create_directories(root_ / "opt/env/bin");
  std::ofstream(root_ / "opt/env/bin/python3") << "#!/bin/sh\n";
  fs::permissions(root_ / "opt/env/bin/python3", fs::perms::owner_all);
  fs::create_directories(root_ / "links");
  fs::create_symlink(root_ / "opt/env/bin", root_ / "links/bin");
  EXPECT_EQ(elsewhere([&] {
              setenv("PATH", (std::string("/nowhere:") + (root_ / "links/bin").string()).c_str(), 1);
              return loaded_or_reason(search("libfoo_python.so.9"));
            }),
            wheel.string());
}

TEST_F(DynamicLibraryTest, AFileThatDoesNotLoadIsNamedAndTheSearchGoesOn) {
  fs::create_directories(root_ / "first/lib64");
  std::ofstream(root_ / "first/lib64/libfoo_text.so.9") << "INPUT(nothing of use)\n";
  const auto broken = elsewhere([&] {
    setenv("CUDA_PATH", (root_ / "first").c_str(), 1);
    return loaded_or_reason(search("libfoo_text.so.9"));
  });
  EXPECT_THAT(broken, HasSubstr("does not load: "));
  EXPECT_THAT(broken, HasSubstr((root_ / "first/lib64/libfoo_text.so.9").string()));
  const auto good = put("second/lib", "libfoo_text.so.9");
  EXPECT_EQ(elsewhere([&] {
              setenv("CUDA_PATH", (root_ / "first").c_str(), 1);
              setenv("CUDA_HOME", (root_ / "second").c_str(), 1);
              return loaded_or_reason(search("libfoo_text.so.9"));
            }),
            good.string());
}

TEST_F(DynamicLibraryTest, WhatIsNoLibraryForThisMachineIsOneReasonAndNoCrash) {
  const auto reason = [&](const std::string& folder, const std::string& file) {
    return elsewhere([&] {
      setenv("DETBENCH_TEST_FOO_DIR", (root_ / folder).c_str(), 1);
      return loaded_or_reason(search(file));
    });
  };
  fs::create_directories(root_ / "folder/libfoo_folder.so.9");
  EXPECT_THAT(reason("folder", "libfoo_folder.so.9"), HasSubstr("libfoo_folder.so.9 is a folder; install foo"));
  fs::create_directories(root_ / "empty");
  std::ofstream(root_ / "empty/libfoo_empty.so.9");
  EXPECT_THAT(reason("empty", "libfoo_empty.so.9"), HasSubstr("libfoo_empty.so.9 is no shared library"));
  // Another processor's: the machine is the 16-bit word at byte 18.
  const auto foreign = put("foreign", "libfoo_foreign.so.9");
  std::fstream(foreign, std::ios::in | std::ios::out | std::ios::binary).seekp(18).write("\x15\x00", 2);
  EXPECT_THAT(reason("foreign", "libfoo_foreign.so.9"), HasSubstr("is made for another processor (ELF machine 21)"));
  // Half a library: mapped and read behind its end it would end the process.
  const auto half = put("half", "libfoo_half.so.9");
  fs::resize_file(half, fs::file_size(half) / 8);
  EXPECT_THAT(reason("half", "libfoo_half.so.9"), HasSubstr("libfoo_half.so.9 is cut short: "));
  fs::resize_file(half, 70);
  EXPECT_THAT(reason("half", "libfoo_half.so.9"), HasSubstr("is cut short: not even its headers are whole"));
}

TEST_F(DynamicLibraryTest, AnotherVersionInTheFolderIsNamed) {
  const auto older = put("old", "libfoo_version.so.8");
  const auto reason = elsewhere([&] {
    setenv("DETBENCH_TEST_FOO_DIR", (root_ / "old").c_str(), 1);
    return loaded_or_reason(search("libfoo_version.so.9"));
  });
  EXPECT_THAT(reason, HasSubstr("not found in " + (root_ / "old").string() + ", where there is another version: " + (root_ / "old/libfoo_version.so.8").string()));
}

TEST_F(DynamicLibraryTest, AbsentNamesTheFoldersThatWereThere) {
  fs::create_directories(root_ / "toolkit/lib64");
  const auto reason = elsewhere([&] {
    setenv("CUDA_PATH", (root_ / "toolkit").c_str(), 1);
    return loaded_or_reason(search("libfoo_absent.so.9"));
  });
  EXPECT_THAT(reason, HasSubstr("the loader's path"));
  EXPECT_THAT(reason, HasSubstr((root_ / "toolkit/lib64").string()));
  EXPECT_THAT(reason, Not(HasSubstr((root_ / "toolkit/targets").string()))) << "names folders that are not there";
}

TEST_F(DynamicLibraryTest, MissingFunctionsAreNullAndPresentOnesCanBeCalled) {
  put("named", "libfoo_symbols.so.9");
  const auto answer = elsewhere([&]() -> std::string {
    setenv("DETBENCH_TEST_FOO_DIR", (root_ / "named").c_str(), 1);
    const auto library = DynamicLibrary::load(search("libfoo_symbols.so.9"));
    if (!library) return library.error().text;
    const auto function = reinterpret_cast<int (*)()>(library->symbol("detbench_test_library_answer"));
    if (function == nullptr || library->symbol("no_such_function") != nullptr) return "wrong symbols";
    return std::to_string(function());
  });
  EXPECT_EQ(answer, "42");
}

TEST_F(DynamicLibraryTest, WhatTheProcessHasLoadedComesBeforeAToolkit) {
  const auto named = put("named", "libfoo_loaded.so.9");
  put("toolkit/lib64", "libfoo_loaded.so.9");
  EXPECT_EQ(elsewhere([&]() -> std::string {
              setenv("DETBENCH_TEST_FOO_DIR", (root_ / "named").c_str(), 1);
              if (auto first = loaded_or_reason(search("libfoo_loaded.so.9")); first != named.string()) return first;
              unsetenv("DETBENCH_TEST_FOO_DIR");
              setenv("CUDA_PATH", (root_ / "toolkit").c_str(), 1);
              return loaded_or_reason(search(named.filename().string()));
            }),
            (root_ / "toolkit/lib64/libfoo_loaded.so.9").string())
      << "a library without a soname is known to the loader by its path alone";
}

TEST(LibraryFolders, AreInTheDocumentedOrder) {
  const std::map<std::string, std::string> variables{{"CUDA_PATH", "/a"}, {"CUDAToolkit_ROOT", "/c"}};
  const auto folders = library_folders({"Foo", {"libfoo.so"}, "V", {"foo"}, ""}, [&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
  ASSERT_GE(folders.size(), 9U);
  EXPECT_THAT(std::vector<fs::path>(folders.begin(), folders.begin() + 9),
              ElementsAre("/a/lib64", "/a/lib", "/a/targets/x86_64-linux/lib", "/c/lib64", "/c/lib", "/c/targets/x86_64-linux/lib",
                          "/usr/local/cuda/lib64", "/usr/local/cuda/lib", "/usr/local/cuda/targets/x86_64-linux/lib"));
}

}  // namespace
}  // namespace detbench
