#include "bench/records/manifest.hpp"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include "bench/records/build_info.hpp"
#include "kernels/device/device.hpp"

namespace detbench {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

/// "model name : AMD EPYC" lines of /proc/cpuinfo's first processor.
std::string cpuinfo(const char* key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();)
    if (line.rfind(key, 0) == 0) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "";
}

/// Of the hundred flags of a CPU, those that decide which kernels run.
std::vector<std::string> kernel_flags() {
  const std::string flags = " " + cpuinfo("flags") + " ";
  std::vector<std::string> present;
  for (const char* flag : {"sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
                           "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"})
    if (flags.find(std::string(" ") + flag + " ") != std::string::npos) present.push_back(flag);
  return present;
}

Json caches() {
  Json list = Json::array();
  for (int i = 0; i < 8; ++i) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const auto size = first_line(folder + "size");
    if (size.empty()) break;
    if (first_line(folder + "type") == "Instruction") continue;
    list.push_back({{"level", std::atoi(first_line(folder + "level").c_str())},
                    {"bytes", std::atoll(size.c_str()) * 1024}});
  }
  return list;
}

Json frequency_hz(const char* name) {
  const auto text = first_line(std::string("/sys/devices/system/cpu/cpu0/cpufreq/") + name);
  return text.empty() ? Json() : Json(std::atoll(text.c_str()) * 1000);
}

std::string operating_system() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("PRETTY_NAME=", 0) == 0) {
      auto name = line.substr(12);
      std::erase(name, '"');
      return name;
    }
  return "";
}

constexpr std::array watched_prefixes{"DETBENCH_ISA", "OMP_",  "GOMP_",   "KMP_",    "ONEDNN_", "DNNL_",  "MKL_",       "OPENBLAS_", "TBB_",
                                      "CUDA_", "CUBLAS",  "CUDNN",   "NVIDIA_", "NCCL_",  "GLIBC_TUNABLES", "MALLOC_",
                                      "LD_",   "BENCHMARK_", "TF_", "DETBENCH_"};

}  // namespace

std::map<std::string, std::string> bit_changing_environment() {
  std::map<std::string, std::string> found;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string entry = *e;
    const auto equal = entry.find('=');
    const auto name = entry.substr(0, equal);
    for (const char* prefix : watched_prefixes) {
      if (name.rfind(prefix, 0) != 0) continue;
      const auto value = equal == std::string::npos ? "" : entry.substr(equal + 1);
      // A path may hold a user's name; that it is set is what matters.
      found[name] = value.find('/') == std::string::npos ? value : "(set)";
    }
  }
  return found;
}

std::string cpu_fingerprint() { return cpuinfo("model name") + ", " + std::to_string(available_cores()) + " cores"; }

std::vector<MachineWarning> machine_warnings() {
  std::vector<MachineWarning> warnings;
  const auto governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (!governor.empty() && governor != "performance")
    warnings.push_back({"the CPU frequency governor is '" + governor + "': times vary with the clock", "cpupower frequency-set -g performance"});
  if (first_line("/proc/sys/kernel/randomize_va_space") == "0")
    warnings.push_back({"address space layout randomization is off: the process scope cannot see what depends on addresses",
                        "sysctl kernel.randomize_va_space=2"});
  double load = 0;
  if (getloadavg(&load, 1) == 1 && load > 0.5)
    warnings.push_back({"the load average is " + std::to_string(load).substr(0, 4) + ": other programs disturb the times",
                        "wait until the machine is idle, or trust ratios and medians only"});
  const int cores = available_cores();
  if (cores < 2) warnings.push_back({"only one core may be used: differences between threads cannot show", "allow at least 2 cores (taskset, cgroup)"});
  const auto environment = bit_changing_environment();
  for (const auto& [name, value] : environment)
    if (name == "OMP_NUM_THREADS" || name == "OMP_THREAD_LIMIT" || name == "ONEDNN_MAX_CPU_ISA" || name == "DNNL_MAX_CPU_ISA" || name == "DETBENCH_ISA" ||
        name == "OMP_PROC_BIND" || name == "GOMP_CPU_AFFINITY")
      warnings.push_back({name + "=" + value + " is set and can change bits or times", "unset " + name});
  return warnings;
}

Json make_manifest(const std::map<std::string, std::string>& library_versions, const std::string& backend, int threads, const Json& gpu) {
  utsname name{};
  uname(&name);
  struct sysinfo memory {};
  sysinfo(&memory);
  double load = 0;
  const bool has_load = getloadavg(&load, 1) == 1;
  return {{"backend", backend},
          {"machine",
           {{"architecture", name.machine},
            {"operating_system", text_or_null(operating_system())},
            {"kernel", std::string(name.sysname) + " " + name.release},
            {"c_library", std::string("glibc ") + std::to_string(__GLIBC__) + "." + std::to_string(__GLIBC_MINOR__)},
            {"virtual_machine", cpuinfo("flags").find("hypervisor") != std::string::npos},
            {"memory_bytes", static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit}}},
          {"cpu",
           {{"model", text_or_null(cpuinfo("model name"))},
            {"cores_usable", available_cores()},
            {"cores_present", std::thread::hardware_concurrency()},
            {"instruction_sets", kernel_flags()},
            {"caches", caches()},
            {"governor", text_or_null(first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))},
            {"minimum_hz", frequency_hz("cpuinfo_min_freq")},
            {"maximum_hz", frequency_hz("cpuinfo_max_freq")},
            {"load_average", has_load ? Json(load) : Json()}}},
          {"gpu", gpu},
          {"driver", gpu.is_object() && gpu.contains("driver") ? gpu["driver"].value("version", Json()) : Json()},
          {"libraries", library_versions},
          {"compiler", {{"name", build_info::compiler}, {"build_type", build_info::build_type}, {"flags", build_info::flags},
                        {"cuda", text_or_null(build_info::cuda)}}},
          {"threads", threads},
          {"address_randomization", text_or_null(first_line("/proc/sys/kernel/randomize_va_space"))},
          {"environment", bit_changing_environment()}};
}

std::string program_version() { return build_info::version; }
std::string program_commit() { return build_info::commit; }
bool program_dirty() { return build_info::dirty; }

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace detbench
