#include "models/data/image_file.hpp"

namespace detbench {

Status decode_image(std::span<const unsigned char> bytes, ByteImage& image) {
  if (bytes.size() >= 2 && bytes[0] == 0xFF && bytes[1] == 0xD8) return decode_jpeg(bytes, image);
  if (bytes.size() >= 4 && bytes[0] == 0x89 && bytes[1] == 'P' && bytes[2] == 'N' && bytes[3] == 'G') return decode_png(bytes, image);
  return invalid_input(bytes.empty() ? "is empty" : "begins neither like a JPEG nor like a PNG file");
}

std::string one_line(std::string_view message) {
  std::string line;
  for (const char c : message.substr(0, 200)) line += c >= ' ' && c < 0x7F ? c : ' ';
  return line;
}

}  // namespace detbench
