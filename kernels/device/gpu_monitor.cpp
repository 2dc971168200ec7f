// NVML without its header, which many toolkits lack: the functions are declared here as NVIDIA's reference manual has them.
#include "kernels/device/gpu_monitor.hpp"

#include <array>

#include "kernels/device/dynamic_library.hpp"

namespace detbench {
namespace {

using Handle = void*;
constexpr int success = 0;
constexpr unsigned clock_sm = 1, clock_memory = 2, temperature_gpu = 0;

struct Nvml {
  int (*init)() = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*handle_by_bus_id)(const char*, Handle*) = nullptr;
  int (*clock)(Handle, unsigned, unsigned*) = nullptr;
  int (*maximum_clock)(Handle, unsigned, unsigned*) = nullptr;
  int (*power)(Handle, unsigned*) = nullptr;
  int (*temperature)(Handle, unsigned, unsigned*) = nullptr;
  int (*ecc)(Handle, unsigned*, unsigned*) = nullptr;
  int (*mig)(Handle, unsigned*, unsigned*) = nullptr;
  int (*processes)(Handle, unsigned*, void*) = nullptr;
  int (*reasons)(Handle, unsigned long long*) = nullptr;
};

template <class Function>
void resolve(const DynamicLibrary& library, Function& function, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (function == nullptr) function = reinterpret_cast<Function>(library.symbol(name));
}

constexpr double hz_per_mhz = 1e6;

class NvmlMonitor final : public GpuMonitor {
 public:
  NvmlMonitor(const Nvml& nvml, Handle gpu) : nvml_(nvml), gpu_(gpu) {}

  std::optional<double> sm_clock_hz() const override { return clock(nvml_.clock, clock_sm); }

  GpuReading read() const override {
    GpuReading reading;
    reading.sm_clock_hz = sm_clock_hz();
    reading.memory_clock_hz = clock(nvml_.clock, clock_memory);
    unsigned value = 0;
    if (nvml_.power != nullptr && nvml_.power(gpu_, &value) == success) reading.power_w = value * 1e-3;
    if (nvml_.temperature != nullptr && nvml_.temperature(gpu_, temperature_gpu, &value) == success) reading.temperature_c = value;
    unsigned long long bits = 0;
    if (nvml_.reasons != nullptr && nvml_.reasons(gpu_, &bits) == success) reading.clock_event_reasons = clock_event_reason_names(bits);
    return reading;
  }

  GpuFacts facts() const override {
    GpuFacts facts;
    facts.maximum_sm_clock_hz = clock(nvml_.maximum_clock, clock_sm);
    facts.maximum_memory_clock_hz = clock(nvml_.maximum_clock, clock_memory);
    unsigned current = 0, pending = 0;
    if (nvml_.ecc != nullptr && nvml_.ecc(gpu_, &current, &pending) == success) facts.ecc = current != 0;
    if (nvml_.mig != nullptr && nvml_.mig(gpu_, &current, &pending) == success) facts.mig = current != 0;
    // With no room for rows the call answers how many there are: 0 with success, else "insufficient size".
    constexpr int insufficient_size = 7;
    unsigned count = 0;
    if (nvml_.processes != nullptr) {
      const int answer = nvml_.processes(gpu_, &count, nullptr);
      if (answer == success || answer == insufficient_size) facts.processes = count;
    }
    char version[96] = "";
    if (nvml_.driver_version != nullptr && nvml_.driver_version(version, sizeof version) == success) facts.driver_version = version;
    return facts;
  }

 private:
  std::optional<double> clock(int (*function)(Handle, unsigned, unsigned*), unsigned which) const {
    unsigned mhz = 0;
    if (function == nullptr || function(gpu_, which, &mhz) != success) return std::nullopt;
    return mhz * hz_per_mhz;
  }
  Nvml nvml_;
  Handle gpu_;
};

}  // namespace

std::vector<std::string> clock_event_reason_names(std::uint64_t bits) {
  constexpr std::array names{"gpu_idle",           "applications_clocks_setting", "sw_power_cap",      "hw_slowdown",  "sync_boost",
                             "sw_thermal_slowdown", "hw_thermal_slowdown",         "hw_power_brake", "display_clock_setting"};
  std::vector<std::string> set;
  for (unsigned bit = 0; bit < 64; ++bit)
    if ((bits >> bit & 1) != 0) set.push_back(bit < names.size() ? names[bit] : "bit_" + std::to_string(bit));
  return set;
}

Result<std::unique_ptr<GpuMonitor>> make_gpu_monitor(const std::string& pci_bus_id) {
  auto library = DynamicLibrary::load({"NVML", {"libnvidia-ml.so.1"}, "DETBENCH_NVML_DIR", {}, "it comes with NVIDIA's driver"});
  if (!library) return tl::unexpected(library.error());
  Nvml nvml;
  resolve(*library, nvml.init, {"nvmlInit_v2"});
  resolve(*library, nvml.driver_version, {"nvmlSystemGetDriverVersion"});
  resolve(*library, nvml.handle_by_bus_id, {"nvmlDeviceGetHandleByPciBusId_v2"});
  resolve(*library, nvml.clock, {"nvmlDeviceGetClockInfo"});
  resolve(*library, nvml.maximum_clock, {"nvmlDeviceGetMaxClockInfo"});
  resolve(*library, nvml.power, {"nvmlDeviceGetPowerUsage"});
  resolve(*library, nvml.temperature, {"nvmlDeviceGetTemperature"});
  resolve(*library, nvml.ecc, {"nvmlDeviceGetEccMode"});
  resolve(*library, nvml.mig, {"nvmlDeviceGetMigMode"});
  resolve(*library, nvml.processes, {"nvmlDeviceGetComputeRunningProcesses_v3"});
  // The newer name came with driver 535.
  resolve(*library, nvml.reasons, {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  if (nvml.init == nullptr || nvml.handle_by_bus_id == nullptr) return unsupported("libnvidia-ml.so.1 lacks nvmlInit_v2");
  if (const int status = nvml.init(); status != success) return unsupported("nvmlInit_v2 failed with status " + std::to_string(status));
  Handle gpu = nullptr;
  if (const int status = nvml.handle_by_bus_id(pci_bus_id.c_str(), &gpu); status != success)
    return unsupported("NVML knows no GPU at " + pci_bus_id + " (status " + std::to_string(status) + ")");
  return std::make_unique<NvmlMonitor>(nvml, gpu);
}

}  // namespace detbench
