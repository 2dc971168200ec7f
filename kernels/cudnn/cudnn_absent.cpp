// In place of this folder where cuDNN's headers were not found.
#include "kernels/cudnn/version.hpp"

namespace detbench {

Result<std::string> cudnn_version() { return unsupported("this build has no cuDNN: its headers were not found when it was configured"); }

}  // namespace detbench
