// What a GPU's own management library says of clocks, power and heat. Read only: nothing here ever sets anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// One reading; what the GPU or its driver does not tell is nullopt.
struct GpuReading {
  std::optional<double> sm_clock_hz, memory_clock_hz;
  std::optional<double> power_w;
  std::optional<double> temperature_c;
  std::vector<std::string> clock_event_reasons;  ///< why the clock is below its maximum: "sw_power_cap", "hw_slowdown", ...
};

/// What does not change during a run.
struct GpuFacts {
  std::optional<double> maximum_sm_clock_hz, maximum_memory_clock_hz;
  std::optional<bool> ecc, mig;
  std::optional<unsigned> processes;             ///< compute processes on the GPU, ours included
  std::string driver_version;                    ///< "580.95.05"; empty: unknown
};

/// Names of the set bits, lowest first, by NVML's nvmlClocksEventReasons constants; unknown bits as "bit_12".
std::vector<std::string> clock_event_reason_names(std::uint64_t bits);

class GpuMonitor {
 public:
  virtual ~GpuMonitor() = default;
  virtual GpuReading read() const = 0;
  virtual GpuFacts facts() const = 0;
  /// The SM clock alone, a few microseconds: cheap enough to be read at every sample.
  virtual std::optional<double> sm_clock_hz() const = 0;
};

/// `pci_bus_id` as CUDA writes it ("00000000:1B:00.0"). A reason when libnvidia-ml.so.1 or the GPU cannot be reached:
/// then clocks are unknown, and everything else goes on.
Result<std::unique_ptr<GpuMonitor>> make_gpu_monitor(const std::string& pci_bus_id);

}  // namespace detbench
