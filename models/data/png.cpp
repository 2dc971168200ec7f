#include <csetjmp>
#include <cstring>

#include <png.h>

#include "models/data/image_file.hpp"

namespace detbench {
namespace {

/// What the callbacks need; nothing with a destructor lives between setjmp and the calls that may jump.
struct Reader {
  const unsigned char* at;
  std::size_t left;
  char message[200];
};

void leave(png_structp png, png_const_charp message) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::strncpy(reader->message, message, sizeof reader->message - 1);
  png_longjmp(png, 1);
}
/// Warnings are about chunks that do not reach the pixels (profiles, times); what does is an error.
void ignore(png_structp, png_const_charp) {}

void take(png_structp png, png_bytep target, png_size_t count) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader->left) png_error(png, "file is cut off");
  std::memcpy(target, reader->at, count);
  reader->at += count;
  reader->left -= count;
}

bool read_header(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png))) return false;
  // Bounds before memory: sides, and what text and profile chunks may unpack to.
  png_set_user_limits(png, 1u << 20, 1u << 20);
  png_set_chunk_malloc_max(png, 1u << 22);
  png_set_chunk_cache_max(png, 100);
  png_read_info(png, info);
  if (static_cast<std::int64_t>(png_get_image_width(png, info)) * static_cast<std::int64_t>(png_get_image_height(png, info)) > largest_image_pixels)
    png_error(png, "more than 2^26 pixels");
  png_set_strip_16(png);
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_gray_to_rgb(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != static_cast<png_size_t>(png_get_image_width(png, info)) * 3) png_error(png, "cannot be made 8-bit RGB");
  return true;
}

bool read_pixels(png_structp png, png_infop info, std::uint8_t* pixels) {
  if (setjmp(png_jmpbuf(png))) return false;
  const png_uint_32 height = png_get_image_height(png, info);
  const png_size_t row_bytes = png_get_rowbytes(png, info);
  const int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
  for (int pass = 0; pass < passes; ++pass)
    for (png_uint_32 row = 0; row < height; ++row) png_read_row(png, pixels + row * row_bytes, nullptr);
  png_read_end(png, nullptr);
  return true;
}

}  // namespace

Status decode_png(std::span<const unsigned char> bytes, ByteImage& image) {
  Reader reader{bytes.data(), bytes.size(), "damaged"};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, leave, ignore);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  bool done = false;
  if (info) {
    png_set_read_fn(png, &reader, take);
    if (read_header(png, info)) {
      image.size = {static_cast<std::int64_t>(png_get_image_height(png, info)), static_cast<std::int64_t>(png_get_image_width(png, info)), 3};
      image.pixels.resize(static_cast<std::size_t>(image.size.height * image.size.width * 3));
      done = read_pixels(png, info, image.pixels.data());
    }
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (!done) return invalid_input("PNG: " + one_line(reader.message));
  return {};
}

Result<std::string> png_library() { return "libpng " + std::string(png_get_libpng_ver(nullptr)); }

}  // namespace detbench
