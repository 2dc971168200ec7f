#include "models/data/image_file.hpp"

namespace detbench {
namespace {
constexpr const char* reason = "this build has no libjpeg (Debian: libjpeg-dev, then build again), so JPEG files cannot be read";
}

Status decode_jpeg(std::span<const unsigned char>, ByteImage&) { return unsupported(reason); }
Result<std::string> jpeg_library() { return unsupported(reason); }

}  // namespace detbench
