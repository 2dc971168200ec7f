#include "kernels/cudnn/target.hpp"

#include <dlfcn.h>

#include <nlohmann/json.hpp>

namespace detbench::cudnn {
namespace {

/// Public specifications of one GPU per architecture. Sizes in bytes, clocks in kHz, the memory bus in bits.
struct Gpu {
  int version;
  const char* name;
  int multiprocessors;
  std::int64_t memory;
  int shared_optin, shared_reserved, blocks_per_sm, threads_per_sm;
  std::int64_t l2;
  int sm_clock, memory_clock, memory_bus;
};

constexpr std::int64_t gib = std::int64_t{1} << 30, mib = std::int64_t{1} << 20;

constexpr Gpu gpus[] = {
    {700, "Tesla V100-SXM2-16GB", 80, 16 * gib, 98304, 0, 32, 2048, 6 * mib, 1530000, 877000, 4096},
    {750, "Tesla T4", 40, 16 * gib, 65536, 0, 16, 1024, 4 * mib, 1590000, 5001000, 256},
    {800, "NVIDIA A100-SXM4-80GB", 108, 80 * gib, 166912, 1024, 32, 2048, 40 * mib, 1410000, 1593000, 5120},
    {860, "NVIDIA GeForce RTX 3090 Ti", 84, 24 * gib, 101376, 1024, 16, 1536, 6 * mib, 1860000, 10501000, 384},
    {890, "NVIDIA GeForce RTX 4090", 128, 24 * gib, 101376, 1024, 24, 1536, 72 * mib, 2520000, 10501000, 384},
    {900, "NVIDIA H200", 132, 150754820096, 232448, 1024, 32, 2048, 60 * mib, 1980000, 3201000, 6144},
    {1000, "NVIDIA B200", 148, 192 * gib, 232448, 1024, 32, 2048, 126 * mib, 1965000, 3996000, 8192},
    {1200, "NVIDIA GeForce RTX 5090", 170, 32 * gib, 101376, 1024, 24, 1536, 96 * mib, 2407000, 14001000, 512},
};

std::string architecture_name(const Gpu& gpu) { return "sm_" + std::to_string(gpu.version / 10); }

std::string json_of(const Gpu& gpu) {
  // Every key must be there: cuDNN refuses a text that lacks one.
  nlohmann::ordered_json j;
  j["maxGridSize"] = {2147483647, 65535, 65535};
  j["maxBlockSize"] = {1024, 1024, 64};
  j["regsPerBlock"] = 65536;
  j["multiProcessorCount"] = gpu.multiprocessors;
  j["warpSize"] = 32;
  j["maxSharedMemoryPerBlock"] = 49152;
  j["maxSharedMemoryPerBlockOptin"] = gpu.shared_optin;
  j["reservedSharedMemoryPerBlock"] = gpu.shared_reserved;
  j["maxRegistersPerSM"] = 65536;
  j["maxCtasPerSM"] = gpu.blocks_per_sm;
  j["maxThreadsPerBlock"] = 1024;
  j["maxThreadsPerSM"] = gpu.threads_per_sm;
  j["pciDeviceId"] = 0;
  j["isTccDriver"] = 0;
  j["supportCoopLaunch"] = 1;
  j["totalGlobalMem"] = gpu.memory;
  j["smClockRateKHz"] = gpu.sm_clock;
  j["memClockRateKHz"] = gpu.memory_clock;
  j["l2CacheSize"] = gpu.l2;
  j["cudaDeviceId"] = 0;
  j["deviceVer"] = gpu.version;
  j["driverVer"] = 13000;
  j["deviceName"] = gpu.name;
  j["memoryBusWidth"] = gpu.memory_bus;  // newer than 9.23 wants it; older versions take and ignore it
  return j.dump();
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const auto& gpu : gpus) names.push_back(architecture_name(gpu));
  return names;
}

Result<Target> Target::of_architecture(std::string_view architecture) {
  for (const auto& gpu : gpus)
    if (architecture_name(gpu) == architecture) return of_json(json_of(gpu));
  std::string known;
  for (const auto& name : known_architectures()) known += (known.empty() ? "" : ", ") + name;
  return invalid_input("'" + std::string(architecture.substr(0, 60)) + "' is no architecture that is known here: " + known + " are");
}

Result<Target> Target::of_json(std::string text) {
  const auto lib = library();
  if (!lib) return tl::unexpected(lib.error());
  auto properties = Descriptor::make(**lib, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::string_view(text));
  if (auto s = properties.finalize(); !s) {
    if (properties.status() == CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED)
      return failure("a part of cuDNN does not load from " + (*lib)->path.parent_path().string() + " (" + s.error().text +
                     "); the newest versions need the driver's library libcuda.so.1 for that, also where no GPU is asked");
    return invalid_input("these are no device properties as cuDNN writes them (" + s.error().text + "): '" + text.substr(0, 120) + "'");
  }
  return read(std::move(properties), std::move(text));
}

Result<Target> Target::of_device(int device) {
  const auto lib = library();
  if (!lib) return tl::unexpected(lib.error());
  auto properties = Descriptor::make(**lib, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, static_cast<std::int32_t>(device));
  if (auto s = properties.finalize(); !s) return tl::unexpected(s.error());
  auto text = properties.get_text(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION);
  if (!text) return tl::unexpected(text.error());
  auto target = read(std::move(properties), std::move(*text));
  if (target) target->is_device_ = true;
  return target;
}

Result<Target> Target::read(Descriptor descriptor, std::string text) {
  Target target;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto number = [&](const char* key) { return json.is_object() && json.contains(key) && json[key].is_number_integer() ? json[key].get<int>() : 0; };
  target.version_ = number("deviceVer");
  target.multiprocessors_ = number("multiProcessorCount");
  if (json.is_object() && json.contains("deviceName") && json["deviceName"].is_string()) target.name_ = json["deviceName"].get<std::string>();
  target.descriptor_ = std::move(descriptor);
  target.json_ = std::move(text);
  return target;
}

bool driver_library_present() {
  static const bool present = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr;
  return present;
}

}  // namespace detbench::cudnn
