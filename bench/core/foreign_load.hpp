// What the rest of the machine did while a sample was taken (METHOD section 7).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

namespace detbench {

/// The first line of /proc/stat, in seconds since start-up, over all cores.
struct MachineTimes {
  double busy_s = 0;    ///< user, nice, system, irq and softirq (guest time is part of user)
  double steal_s = 0;   ///< taken by the hypervisor for others
  unsigned cores = 1;
};
/// Reads the text of /proc/stat; nullopt when it is not of that form.
std::optional<MachineTimes> parse_proc_stat(const std::string& text, double ticks_per_second);

/// CPU time of others: the machine's busy and stolen time less this process's own. /proc/stat counts in ticks of 10 ms
/// while a sample may last 200 us, so a sample is judged by a window that ends with it and reaches back until it is long
/// enough for ticks to mean something.
class ForeignLoadMeter {
 public:
  struct Sources {
    std::function<std::string()> proc_stat;       ///< text of /proc/stat; empty: not readable
    std::function<double()> own_cpu_s;            ///< CPU time of this process, all threads
    std::function<double()> now_s;
    double ticks_per_second = 100;
  };
  explicit ForeignLoadMeter(Sources sources) : sources_(std::move(sources)) {}
  /// The real machine.
  static Sources machine();

  struct Reading {
    double foreign_s = 0;    ///< of others during the sample, per core
    bool loaded = false;     ///< more than the share allows, by more than the ticks can deceive
    double window_s = 0;     ///< what it was judged by; 0: nothing is known
  };
  void begin();              ///< right before a sample
  /// Right after it. `share`: of one core on a machine of up to 8, of an eighth of the cores on a larger one.
  Reading end(double share);

 private:
  struct Snapshot {
    double at_s = 0, foreign_total_s = 0;
  };
  std::optional<Snapshot> take();

  static constexpr double window_s = 0.5;
  Sources sources_;
  std::deque<Snapshot> history_;  ///< oldest first; the first one is the last that is at least a window old
  double begun_s_ = 0;
  unsigned cores_ = 1;
};

}  // namespace detbench
