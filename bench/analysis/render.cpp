#include "bench/analysis/render.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "bench/analysis/embedded_files.hpp"

extern char** environ;

namespace detbench::analysis {
namespace {

namespace fs = std::filesystem;
constexpr int limit_s = 300;
constexpr const char* remedy = "; scripts/setup.sh makes the Python environment that renders charts";

std::string renderer() {
  for (const auto& file : embedded_files())
    if (file.name == "render_charts.py") return std::string(file.text);
  return "";
}

struct Outcome {
  int code = -1;
  std::string output;
};

/// Runs a program with stdout and stderr in one text, and kills it after limit_s.
Result<Outcome> run(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(std::string("no pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  std::vector<char*> arguments;
  for (const auto& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, command[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return failure(command[0] + " cannot be started: " + std::strerror(error));
  }
  Outcome outcome;
  const auto start = std::chrono::steady_clock::now();
  bool open = true;
  while (open) {
    const auto left = std::chrono::seconds(limit_s) - (std::chrono::steady_clock::now() - start);
    const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
    pollfd waiting{ends[0], POLLIN, 0};
    const int ready = left_ms > 0 ? ::poll(&waiting, 1, static_cast<int>(left_ms)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      ::kill(child, SIGKILL);
      outcome.output = "took longer than " + std::to_string(limit_s) + " s";
      break;
    }
    char block[4096];
    const auto got = ::read(ends[0], block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    open = got > 0;
    if (got > 0 && outcome.output.size() < 65536) outcome.output.append(block, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

}  // namespace

Status render_charts(const fs::path& venv, const fs::path& folder) {
  std::error_code error;
  const auto python = venv / "bin" / "python";
  if (venv.empty() || !fs::exists(python, error))
    return failure(std::string("no SVG, PNG and PDF: there is no .venv") + remedy);
  const auto outcome = run({python.string(), "-c", renderer(), folder.string()});
  if (!outcome) return failure("no SVG, PNG and PDF: " + outcome.error().text + remedy);
  if (outcome->code == 0) return {};
  const auto line = outcome->output.substr(0, outcome->output.find('\n'));
  return failure("SVG, PNG and PDF are missing or incomplete: " +
                 (line.empty() ? std::string("the renderer died") : line) + remedy);
}

fs::path find_venv(const fs::path& wanted) {
  if (!wanted.empty()) return wanted;
  std::error_code error;
  if (fs::exists(fs::path(DETBENCH_VENV) / "bin" / "python", error)) return DETBENCH_VENV;
  auto folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int up = 0; up < 4 && !folder.empty(); ++up, folder = folder.parent_path())
    if (fs::exists(folder / ".venv" / "bin" / "python", error)) return folder / ".venv";
  return {};
}

}  // namespace detbench::analysis
