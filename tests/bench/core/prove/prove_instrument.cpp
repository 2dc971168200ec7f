// prove_instrument [--backend cpu|cuda] [--scale X]: prints the two tables of METHOD section 12 as Markdown, each behind a line
// "## NAME", of the CPU or of GPU 0. The first line says from which commit, when and on what: "## made from commit ...".
// Exit code 1 when a row does not hold. scripts/prove_instrument.sh puts the tables into docs/method.md.
#include <signal.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "bench/records/manifest.hpp"
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

constexpr std::int64_t copied_bytes = std::int64_t{512} << 20;  ///< on a GPU a hundred times what a launch costs

void print_origin(const std::string& device) {
  utsname system{};
  uname(&system);
  char day[16] = "";
  const auto now = std::time(nullptr);
  std::tm utc{};
  std::strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&now, &utc));
  const auto commit = detbench::program_commit();
  std::printf("## made from commit %s%s on %s: %s, %d cores, %s %s\n", commit.empty() ? "unknown" : commit.substr(0, 12).c_str(),
              detbench::program_dirty() ? " with local changes" : "", day, device.c_str(), detbench::available_cores(), system.sysname, system.release);
}

/// Both tables of a backend; an error is why there are none.
detbench::Result<bool> prove(const std::string& program, bool gpu, double scale) {
  using namespace detbench;
  const auto kind = gpu ? DeviceKind::cuda : DeviceKind::cpu;
  const auto make_gpu = [](const DeviceConfiguration& configuration) { return make_cuda_device(configuration); };
  std::vector<DetectionRow> detection;
  if (gpu) {
    const auto device = make_cuda_device();
    if (!device) return tl::unexpected(device.error());
    print_origin((*device)->name());
    auto rows = prove_device_detection(kind, make_gpu, scale);
    if (!rows) return tl::unexpected(rows.error());
    detection = std::move(*rows);
  } else {
    print_origin("CPU");
    detection = prove_detection(scale);
  }
  detection.push_back(prove_process_scope(program, scale, kind));
  std::printf("## detection\n%s", detection_table(detection).c_str());
  std::fflush(stdout);

  std::vector<TimingRow> timing;
  const auto add = [&](const std::string& load) -> Status {
    if (!gpu) {
      timing.push_back(prove_real_timing("spins of 30 us, " + load, scale));
      return {};
    }
    auto row = prove_device_timing("copies of 512 MiB on the GPU, " + load, make_gpu, copied_bytes, std::max<std::uint32_t>(50, static_cast<std::uint32_t>(1000 * scale)));
    if (!row) return tl::unexpected(row.error());
    timing.push_back(std::move(*row));
    return {};
  };
  if (!gpu) timing = prove_simulated_timing(scale);
  if (auto done = add("nothing else started"); !done) return tl::unexpected(done.error());
  {
    ForeignLoad load(program);
    if (load.size() == 0) return failure("cannot start the processes that load the machine");
    if (auto done = add("one busy process per core"); !done) return tl::unexpected(done.error());
  }
  std::printf("## timing\n%s", timing_table(timing).c_str());
  return std::all_of(detection.begin(), detection.end(), [](const auto& row) { return row.holds(); }) &&
         std::all_of(timing.begin(), timing.end(), [](const auto& row) { return row.holds(); });
}

}  // namespace

int main(int argc, char** argv) {
  using namespace detbench;
  if (argc == 2 && std::strcmp(argv[1], "--process-digest") == 0) return print_process_digest();
  if (argc == 2 && std::strcmp(argv[1], "--process-digest-cuda") == 0) return print_process_digest(DeviceKind::cuda);
  if (argc == 3 && std::strcmp(argv[1], "--spin") == 0) return spin_for(std::atof(argv[2]));
  double scale = 1;
  bool gpu = false, usage = argc % 2 == 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--scale") == 0) scale = std::atof(argv[i + 1]);
    else if (std::strcmp(argv[i], "--backend") == 0 && std::strcmp(argv[i + 1], "cuda") == 0) gpu = true;
    else if (std::strcmp(argv[i], "--backend") != 0 || std::strcmp(argv[i + 1], "cpu") != 0) usage = true;
  }
  if (usage || !(scale > 0)) {
    std::fprintf(stderr, "prove_instrument: usage: prove_instrument [--backend cpu|cuda] [--scale X], X above 0, 1 for the published tables\n");
    return 2;
  }
  const auto holds = prove("/proc/self/exe", gpu, scale);
  if (!holds) {
    std::fprintf(stderr, "prove_instrument: %s\n", holds.error().text.c_str());
    return holds.error().kind == Reason::Kind::unsupported ? 77 : 3;
  }
  if (!*holds) std::fprintf(stderr, "prove_instrument: a row does not hold\n");
  return *holds ? 0 : 1;
}
