#include "models/data/image_file.hpp"

namespace detbench {
namespace {
constexpr const char* reason = "this build has no libpng (Debian: libpng-dev, then build again), so PNG files cannot be read";
}

Status decode_png(std::span<const unsigned char>, ByteImage&) { return unsupported(reason); }
Result<std::string> png_library() { return unsupported(reason); }

}  // namespace detbench
