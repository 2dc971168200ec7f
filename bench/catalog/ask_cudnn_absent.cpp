#include "bench/catalog/ask.hpp"
#include "kernels/cudnn/version.hpp"

namespace detbench::catalog {
namespace {

tl::unexpected<Reason> absent() {
  return unsupported(cudnn_version().error().text + "; have a CUDA toolkit and cuDNN 9 (pip install nvidia-cudnn-cu13), set CUDNN_ROOT to its folder, and build again");
}

}  // namespace

Result<TargetFacts> describe_target(const std::string&) { return absent(); }

Result<Entry> ask(const Problem&, const std::string&, const SkippedSteps&, const Announce&) { return absent(); }

}  // namespace detbench::catalog
