// Named ranges for a profiler's timeline: around every case and phase (DESIGN section 8).
#pragma once

#include <string>

namespace detbench {

/// Open from construction to destruction on the calling thread; nested ranges nest. In builds with CUDA it is an NVTX
/// range of the domain "detbench", which costs next to nothing while no profiler listens; in others it does nothing.
class ProfilerRange {
 public:
  explicit ProfilerRange(const std::string& name);
  ~ProfilerRange();
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};

}  // namespace detbench
