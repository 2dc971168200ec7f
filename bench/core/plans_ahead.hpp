// Plans built ahead of their turn, on several CPU threads at once: a GPU library compiles some of them for a second or
// more, while the GPU and all other cores idle.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bench/core/probe.hpp"
#include "kernels/op.hpp"

namespace detbench {

class PlansAhead {
 public:
  /// Builds the plans that are not there yet, on `threads` threads with a device each. What cannot be built is left
  /// out: asked for in its own turn, it says why. Returns how many were built.
  std::size_t build(const Operation& operation, const Problem& problem, const std::vector<Algorithm>& algorithms,
                    const MakeDevice& make_device, const DeviceConfiguration& configuration, unsigned threads);
  /// nullptr when there is none for exactly this case in this configuration.
  std::shared_ptr<Plan> find(const Problem& problem, const Algorithm& algorithm, const DeviceConfiguration& configuration) const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Plan>> plans_;
};

/// The same operation, whose providers hand out plans built ahead where there are any. Both arguments must outlive it.
std::unique_ptr<Operation> with_plans_ahead(const Operation& operation, const PlansAhead& plans);

}  // namespace detbench
