#include "kernels/device/profiler_range.hpp"

namespace detbench {

ProfilerRange::ProfilerRange(const std::string&) {}
ProfilerRange::~ProfilerRange() = default;

}  // namespace detbench
