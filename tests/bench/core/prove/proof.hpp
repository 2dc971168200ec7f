// The proof of the instrument (METHOD section 12): what it finds of differences and slowdowns that were planted, held
// against theory. bench/core's own functions measure and judge; only what is measured is fake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/core/probe.hpp"

namespace detbench {

/// One kind of planted difference, tried many times.
struct DetectionRow {
  std::string scope;
  std::string planted;             ///< cause and size
  std::string watched;             ///< "10 runs", "4 configurations"
  std::uint32_t trials = 0;
  std::uint32_t found = 0;
  double expected = 0;             ///< by theory, as a share of the trials
  /// Within 3.3 standard deviations of the binomial distribution (one row in a thousand lies outside by chance).
  bool holds() const;
};

/// `scale`: trials as a multiple of the published ones; a few are always made.
std::vector<DetectionRow> prove_detection(double scale);

/// Pairs of fresh processes of `program`, each of which prints the digest of one run on a device of this kind.
DetectionRow prove_process_scope(const std::string& program, double scale, DeviceKind kind = DeviceKind::cpu);
/// What such a process does: prints one digest of the control address_order. Returns the exit code.
int print_process_digest(DeviceKind kind = DeviceKind::cpu);

/// The same on a device that is really there, with its own memory, digests, stressors and configurations: planted copies of wrong
/// elements, the controls that belong to its kind, and alarms where nothing can differ. A reason where the device cannot be made.
Result<std::vector<DetectionRow>> prove_device_detection(DeviceKind kind, const MakeDevice& make_device, double scale);

/// One kind of noise: comparisons of six arms, a base, its twin, an equal one, and three that are slower by 1, 3 and 10 %.
struct TimingRow {
  std::string noise;
  bool simulated = true;
  std::uint32_t blocks = 0;        ///< of which the reporting half is judged
  std::uint32_t pairs = 0;
  std::uint32_t equal = 0;         ///< A/A pairs that were called neither faster nor slower
  std::uint32_t same = 0;          ///< of those, called `same`; the others are `ambiguous`
  double coverage = 0;             ///< share of all 95 % intervals that hold the true ratio
  double found[3] = {};            ///< share of slowdowns of 1, 3 and 10 % called `slower`
  /// What the intervals promise: the share of A/A intervals of the same comparisons that, moved by the slowdown, clear
  /// their band.
  double promised[3] = {};
  std::uint32_t busy = 0;          ///< comparisons that the instrument would call `ambiguous: busy machine`
  /// A/A called equal in 93 %, slowdowns found at the promised rate, simulated truths held by 93 % of the intervals.
  bool holds() const;
};

/// Simulated noise of known distribution.
std::vector<TimingRow> prove_simulated_timing(double scale);
/// Spins of known length, really timed by time_sample().
TimingRow prove_real_timing(const std::string& noise, double scale);

/// Copies of `bytes` bytes and of 1, 3 and 10 % more, timed as every op on that device is: on a GPU behind the launch gate, by events,
/// each run cold. A reason where the device cannot be made or has not the memory.
Result<TimingRow> prove_device_timing(const std::string& noise, const MakeDevice& make_device, std::int64_t bytes, std::uint32_t pairs);

/// Markdown tables with a line of counts below.
std::string detection_table(const std::vector<DetectionRow>& rows);
std::string timing_table(const std::vector<TimingRow>& rows);

}  // namespace detbench
