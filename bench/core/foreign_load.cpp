#include "bench/core/foreign_load.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

namespace detbench {

std::optional<MachineTimes> parse_proc_stat(const std::string& text, double ticks_per_second) {
  std::istringstream lines(text);
  std::string line;
  std::optional<MachineTimes> times;
  unsigned cores = 0;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.rfind("cpu", 0) != 0) continue;
    if (name != "cpu") {
      ++cores;
      continue;
    }
    double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
    if (!(words >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) return std::nullopt;
    times = MachineTimes{(user + nice + system + irq + softirq) / ticks_per_second, steal / ticks_per_second, 1};
  }
  if (times) times->cores = std::max(1u, cores);
  return times;
}

ForeignLoadMeter::Sources ForeignLoadMeter::machine() {
  Sources sources;
  sources.proc_stat = [] {
    std::ifstream file("/proc/stat");
    std::string text;
    // The lines of the cores come first; what follows (interrupt counts) is long and not needed.
    for (std::string line; std::getline(file, line) && line.rfind("cpu", 0) == 0;) text += line + "\n";
    return text;
  };
  sources.own_cpu_s = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  };
  sources.now_s = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  sources.ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return sources;
}

std::optional<ForeignLoadMeter::Snapshot> ForeignLoadMeter::take() {
  const auto times = parse_proc_stat(sources_.proc_stat(), sources_.ticks_per_second);
  if (!times) return std::nullopt;
  cores_ = times->cores;
  return Snapshot{sources_.now_s(), times->busy_s + times->steal_s - sources_.own_cpu_s()};
}

void ForeignLoadMeter::begin() {
  const double now_s = sources_.now_s();
  // What happened in a long pause between samples is no load of any sample.
  if (!history_.empty() && now_s - history_.back().at_s > window_s) history_.clear();
  // Reading /proc/stat costs tens of microseconds and some cache right before the sample: a recent reading serves.
  if (history_.empty() || now_s - history_.back().at_s > 0.02)
    if (const auto snapshot = take()) history_.push_back(*snapshot);
  begun_s_ = sources_.now_s();
}

ForeignLoadMeter::Reading ForeignLoadMeter::end(double share) {
  const auto now = take();
  if (!now || history_.empty()) return {};
  const double elapsed_s = now->at_s - begun_s_;
  const double needed_s = std::max(window_s, elapsed_s);
  while (history_.size() > 1 && now->at_s - history_[1].at_s >= needed_s) history_.pop_front();
  const auto& since = history_.front();
  Reading reading;
  reading.window_s = now->at_s - since.at_s;
  if (reading.window_s <= 0) return {};
  const double foreign_s = std::max(0.0, now->foreign_total_s - since.foreign_total_s);
  reading.foreign_s = foreign_s / reading.window_s * elapsed_s / cores_;
  // Every core may be a tick ahead or behind, and this process's own time is counted finer than the machine's.
  const double deception_s = cores_ / sources_.ticks_per_second;
  reading.loaded = foreign_s - deception_s > share * std::max(1.0, cores_ / 8.0) * reading.window_s;
  history_.push_back(*now);
  return reading;
}

}  // namespace detbench
