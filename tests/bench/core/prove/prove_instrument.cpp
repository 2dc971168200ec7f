// prove_instrument [--scale X]: prints the two tables of METHOD section 12 as Markdown, each behind a line "## NAME".
// Exit code 1 when a row does not hold. scripts/prove_instrument.sh puts the tables into docs/method.md.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/device/device.hpp"
#include "tests/bench/core/prove/proof.hpp"

namespace {

using Clock = std::chrono::steady_clock;

/// What a foreign process does: it works, and ends by itself.
int spin_for(double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) continue;
  return 0;
}

/// One busy process per core, ended with the object and by themselves after two minutes.
class ForeignLoad {
 public:
  explicit ForeignLoad(const std::string& program) {
    for (int i = 0; i < detbench::available_cores(); ++i) {
      std::string name = program, verb = "--spin", seconds = "120";
      char* arguments[] = {name.data(), verb.data(), seconds.data(), nullptr};
      pid_t child = 0;
      if (posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0) children_.push_back(child);
    }
  }
  ~ForeignLoad() {
    for (const auto child : children_) kill(child, SIGTERM);
    for (const auto child : children_) waitpid(child, nullptr, 0);
  }
  ForeignLoad(const ForeignLoad&) = delete;
  std::size_t size() const { return children_.size(); }

 private:
  std::vector<pid_t> children_;
};

}  // namespace

int main(int argc, char** argv) {
  using namespace detbench;
  double scale = 1;
  if (argc == 2 && std::strcmp(argv[1], "--process-digest") == 0) return print_process_digest();
  if (argc == 3 && std::strcmp(argv[1], "--spin") == 0) return spin_for(std::atof(argv[2]));
  if (argc == 3 && std::strcmp(argv[1], "--scale") == 0) scale = std::atof(argv[2]);
  if ((argc != 1 && argc != 3) || !(scale > 0)) {
    std::fprintf(stderr, "prove_instrument: usage: prove_instrument [--scale X], X above 0, 1 for the published tables\n");
    return 2;
  }
  const std::string program = "/proc/self/exe";
  auto detection = prove_detection(scale);
  detection.push_back(prove_process_scope(program, scale));
  std::printf("## detection\n%s", detection_table(detection).c_str());
  std::fflush(stdout);

  auto timing = prove_simulated_timing(scale);
  timing.push_back(prove_real_timing("spins of 30 us, nothing else started", scale));
  {
    ForeignLoad load(program);
    if (load.size() == 0) {
      std::fprintf(stderr, "prove_instrument: cannot start the processes that load the machine\n");
      return 3;
    }
    timing.push_back(prove_real_timing("spins of 30 us, one busy process per core", scale));
  }
  std::printf("## timing\n%s", timing_table(timing).c_str());
  const bool holds = std::all_of(detection.begin(), detection.end(), [](const auto& row) { return row.holds(); }) &&
                     std::all_of(timing.begin(), timing.end(), [](const auto& row) { return row.holds(); });
  if (!holds) std::fprintf(stderr, "prove_instrument: a row does not hold\n");
  return holds ? 0 : 1;
}
