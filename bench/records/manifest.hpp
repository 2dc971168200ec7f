// Where and with what a result was measured: machine, libraries, compilers and flags, and every environment variable
// that can change bits (DESIGN section 7). No host name, user, serial number or UUID.
#pragma once

#include "bench/records/record.hpp"

namespace detbench {

/// Facts that only the suites' libraries know, like oneDNN's version, are handed in as name -> version.
/// `gpu`: describe_gpu() of the process that measures, or null.
Json make_manifest(const std::map<std::string, std::string>& library_versions, const std::string& backend, int threads, const Json& gpu);

/// GPU 0 as CUDA and NVML describe it, its clocks and heat right now; the reason where there is none. Touches the
/// device, so a sweep's parent asks a worker.
Result<Json> describe_gpu();

/// "AMD EPYC 7B13, 2 cores": what tells one machine's CPU results from another's.
std::string cpu_fingerprint();

/// One thing about this machine that can change bits or times, with the remedy.
struct MachineWarning {
  std::string text;
  std::string remedy;
};
std::vector<MachineWarning> machine_warnings();

/// Environment variables that can change bits or times and are set: name -> value, paths replaced by "(set)".
std::map<std::string, std::string> bit_changing_environment();

/// The version this program was built as, the commit and whether the tree was dirty, as CMake saw them.
std::string program_version();
std::string program_commit();
bool program_dirty();
/// Now, as "2026-11-20T21:36:00Z".
std::string utc_now();

}  // namespace detbench
