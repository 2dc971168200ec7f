// The GPU half of the manifest (METHOD section 7: clocks are recorded, never set).
#include "bench/records/manifest.hpp"
#include "kernels/device/gpu_monitor.hpp"
#include "kernels/device/gpu_properties.hpp"

namespace detbench {
namespace {

template <class T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

Result<Json> describe_gpu() {
  const auto gpu = gpu_properties();
  if (!gpu) return tl::unexpected(gpu.error());
  Json json{{"name", gpu->name},
            {"compute_capability", std::to_string(gpu->compute_major) + "." + std::to_string(gpu->compute_minor)},
            {"multiprocessors", gpu->multiprocessors},
            {"memory_bytes", gpu->memory_bytes},
            {"free_memory_bytes", gpu->free_memory_bytes},
            {"l2_bytes", gpu->l2_bytes},
            {"memory_bus_bits", gpu->memory_bus_bits},
            {"maximum_sm_clock_hz", gpu->maximum_sm_clock_hz},
            {"maximum_memory_clock_hz", gpu->maximum_memory_clock_hz},
            {"ecc", gpu->ecc},
            {"mps", gpu->mps},
            {"driver", {{"version", nullptr}, {"cuda", gpu->driver_cuda_version}}},
            {"runtime_cuda", gpu->runtime_cuda_version},
            {"management_library", "present"}};
  const auto monitor = make_gpu_monitor(gpu->pci_bus_id);
  if (!monitor) {
    json["management_library"] = monitor.error().text;
    return json;
  }
  const auto facts = (*monitor)->facts();
  const auto now = (*monitor)->read();
  if (!facts.driver_version.empty()) json["driver"]["version"] = facts.driver_version;
  json["mig"] = value_or_null(facts.mig);
  json["compute_processes"] = value_or_null(facts.processes);
  json["sm_clock_hz"] = value_or_null(now.sm_clock_hz);
  json["memory_clock_hz"] = value_or_null(now.memory_clock_hz);
  json["power_w"] = value_or_null(now.power_w);
  json["temperature_c"] = value_or_null(now.temperature_c);
  json["clock_event_reasons"] = now.clock_event_reasons;
  return json;
}

}  // namespace detbench
