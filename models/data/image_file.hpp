// JPEG and PNG files as 8-bit RGB, through libjpeg and libpng where the build has them (jpeg.cpp, png.cpp and their absent
// halves). Everything that hostile bytes can do ends in a reason of one line.
#pragma once

#include <span>
#include <string>

#include "models/data/resize.hpp"

namespace detbench {

/// Larger images are refused before their memory is taken: a file of a few bytes can claim any size.
inline constexpr std::int64_t largest_image_pixels = std::int64_t{1} << 26;

/// `image` becomes height x width x 3; its memory is kept from call to call. Greys and palettes become RGB, alpha is dropped,
/// 16-bit samples keep their upper 8 bits. Refused: other colour spaces (CMYK), and any file the library warns about as
/// corrupt, cut off ones above all.
Status decode_jpeg(std::span<const unsigned char> bytes, ByteImage& image);
Status decode_png(std::span<const unsigned char> bytes, ByteImage& image);
/// By the first bytes, not by a name.
Status decode_image(std::span<const unsigned char> bytes, ByteImage& image);

/// Why this build decodes no such files; success where it does. "libjpeg-turbo 2.1.5" and "libpng 1.6.39" are the
/// libraries' versions: decoded pixels may depend on them.
Result<std::string> jpeg_library();
Result<std::string> png_library();

/// The library's message on one line, without what could confuse a terminal.
std::string one_line(std::string_view message);

}  // namespace detbench
