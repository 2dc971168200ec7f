#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "models/data/image_file.hpp"

namespace detbench {
namespace {

/// libjpeg's way out of an error is a jump; nothing with a destructor lives between setjmp and the calls that may jump.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  manager->base.format_message(info, manager->message);
  std::longjmp(manager->jump, 1);
}

/// Warnings (level -1) mean corrupt data: libjpeg would go on with grey or with rubbish.
void on_message(j_common_ptr info, int level) {
  if (level < 0) leave(info);
}

enum class Outcome { done, failed, too_large, other_colours };

/// The two calls on a decompressor that need `image` to grow are apart, so that no C++ object is alive across a jump.
Outcome read_header(jpeg_decompress_struct& info, ErrorManager& manager, std::span<const unsigned char> bytes) {
  if (setjmp(manager.jump)) return Outcome::failed;
  jpeg_create_decompress(&info);
  // Many scans over a large image cost time without end for few bytes; memory is bounded by the pixels.
  info.mem->max_memory_to_use = 1L << 30;
  jpeg_mem_src(&info, bytes.data(), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&info, TRUE);
  if (static_cast<std::int64_t>(info.image_width) * static_cast<std::int64_t>(info.image_height) > largest_image_pixels) return Outcome::too_large;
  if (info.jpeg_color_space != JCS_GRAYSCALE && info.jpeg_color_space != JCS_YCbCr && info.jpeg_color_space != JCS_RGB) return Outcome::other_colours;
  info.out_color_space = JCS_RGB;
  info.dct_method = JDCT_ISLOW;  // the accurate one, whose bits libjpeg-turbo keeps over all its instruction sets
  return Outcome::done;
}

Outcome read_pixels(jpeg_decompress_struct& info, ErrorManager& manager, std::uint8_t* pixels, std::size_t row_bytes) {
  if (setjmp(manager.jump)) return Outcome::failed;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels + static_cast<std::size_t>(info.output_scanline) * row_bytes;
    jpeg_read_scanlines(&info, &row, 1);
    if (info.input_scan_number > 100) {  // a progressive file has about ten
      std::snprintf(manager.message, sizeof manager.message, "more than 100 scans");
      return Outcome::failed;
    }
  }
  jpeg_finish_decompress(&info);
  return Outcome::done;
}

Status reason(Outcome outcome, const ErrorManager& manager) {
  switch (outcome) {
    case Outcome::done: return {};
    case Outcome::too_large: return invalid_input("JPEG has more than 2^26 pixels");
    case Outcome::other_colours: return invalid_input("JPEG is neither grey nor RGB (CMYK is not read)");
    case Outcome::failed: return invalid_input("JPEG: " + one_line(manager.message));
  }
  return {};
}

}  // namespace

Status decode_jpeg(std::span<const unsigned char> bytes, ByteImage& image) {
  jpeg_decompress_struct info{};
  ErrorManager manager{};
  info.err = jpeg_std_error(&manager.base);
  manager.base.error_exit = leave;
  manager.base.emit_message = on_message;
  Outcome outcome = read_header(info, manager, bytes);
  if (outcome == Outcome::done) {
    image.size = {static_cast<std::int64_t>(info.image_height), static_cast<std::int64_t>(info.image_width), 3};
    image.pixels.resize(static_cast<std::size_t>(image.size.height * image.size.width * 3));
    outcome = read_pixels(info, manager, image.pixels.data(), static_cast<std::size_t>(image.size.width) * 3);
  }
  jpeg_destroy_decompress(&info);
  return reason(outcome, manager);
}

Result<std::string> jpeg_library() {
#define DETBENCH_TEXT_OF(x) #x
#define DETBENCH_TEXT(x) DETBENCH_TEXT_OF(x)
  return std::string("libjpeg-turbo " DETBENCH_TEXT(LIBJPEG_TURBO_VERSION));
}

}  // namespace detbench
