// The program as a user meets it: one call of detbench, and a folder of its own for each test.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace detbench::tests {

struct Outcome {
  int code = -1;
  std::string text;  ///< stdout and stderr
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

/// Runs the program through the shell; `code` is 128 + the signal where one ended it.
inline Outcome detbench(const std::string& arguments) {
  FILE* pipe = popen((std::string(DETBENCH_PROGRAM) + " " + arguments + " 2>&1").c_str(), "r");
  Outcome outcome;
  std::array<char, 4096> buffer;
  while (const auto n = fread(buffer.data(), 1, buffer.size(), pipe)) outcome.text.append(buffer.data(), n);
  const int state = pclose(pipe);
  outcome.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return outcome;
}

/// A folder whose name has a space, gone when the test is.
class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() / ("detbench " + std::string(test->test_suite_name()) + std::to_string(getpid()) + test->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  /// Quoted for the shell.
  std::string at(const std::string& name) const { return "'" + (folder_ / name).string() + "'"; }
  nlohmann::json read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return nlohmann::json::parse(file);
  }

  std::filesystem::path folder_;
};

}  // namespace detbench::tests
