#include <nvtx3/nvtx3.hpp>

#include "kernels/device/profiler_range.hpp"

namespace detbench {
namespace {

struct Domain {
  static constexpr char const* name{"detbench"};
};

}  // namespace

ProfilerRange::ProfilerRange(const std::string& name) {
  nvtxDomainRangePushEx(nvtx3::domain::get<Domain>(), nvtx3::event_attributes(name.c_str()).get());
}
ProfilerRange::~ProfilerRange() { nvtxDomainRangePop(nvtx3::domain::get<Domain>()); }

}  // namespace detbench
