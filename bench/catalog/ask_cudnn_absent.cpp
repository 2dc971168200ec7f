#include "bench/catalog/ask.hpp"
#include "kernels/cudnn/version.hpp"

namespace detbench::catalog {

Result<TargetFacts> describe_target(const std::string&) { return tl::unexpected(cudnn_version().error()); }

Result<Entry> ask(const Problem&, const std::string&, const SkippedSteps&, const Announce&) {
  return tl::unexpected(cudnn_version().error());
}

}  // namespace detbench::catalog
