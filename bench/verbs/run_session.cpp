#include "bench/verbs/run_session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "bench/records/manifest.hpp"
#include "bench/verbs/verbs.hpp"

namespace detbench {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int) {
  if (interrupt_seen != 0) _exit(exit_interrupted);  // a second one does not wait for the row to finish
  interrupt_seen = 1;
}

std::string clock_text(double seconds) {
  const auto s = static_cast<long>(seconds);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) : fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace

const volatile std::sig_atomic_t* watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return &interrupt_seen;
}

void ProgressLine::show(const Progress& progress) {
  if (progress.phase != phase_) {
    phase_ = progress.phase;
    phase_begun_s_ = progress.elapsed_s;
    last_s_ = -1e9;
  }
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (progress.elapsed_s - last_s_ < (terminal ? 0.1 : 10.0)) return;
  last_s_ = progress.elapsed_s;
  std::string left = "?";
  if (progress.done > 0)
    left = clock_text((progress.elapsed_s - phase_begun_s_) / static_cast<double>(progress.done) * static_cast<double>(progress.total - std::min(progress.total, progress.done)));
  const auto text = fmt::format("{} {}/{}  {} elapsed, {} left in this phase  {}", progress.phase, progress.done, progress.total,
                                clock_text(progress.elapsed_s), left, progress.arm);
  if (terminal) fmt::print(stderr, "\r\033[K{}", text.substr(0, 150));
  else fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

void ProgressLine::end() const {
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\033[K");
}

Result<RunOutcome> run_with_progress(RunSettings settings) {
  ProgressLine line;
  settings.progress = [&line](const Progress& progress) { line.show(progress); };
  settings.interrupted = watch_interrupts();
  auto outcome = run_sweep(settings);
  line.end();
  return outcome;
}

std::string timestamp_folder() {
  auto stamp = utc_now();
  std::erase(stamp, ':');
  std::erase(stamp, '-');
  return "results/local/" + stamp;
}

}  // namespace detbench
