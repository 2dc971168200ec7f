#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "tests/models/data/image_files.hpp"

namespace detbench {
namespace {

std::vector<unsigned char> encode(const ByteImage& image, bool progressive = false, J_COLOR_SPACE space = JCS_RGB) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_height = static_cast<JDIMENSION>(image.size.height);
  info.image_width = static_cast<JDIMENSION>(image.size.width);
  info.input_components = space == JCS_GRAYSCALE ? 1 : space == JCS_CMYK ? 4 : 3;
  info.in_color_space = space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    std::vector<unsigned char> row;
    for (std::int64_t j = 0; j < image.size.width; ++j)
      for (int k = 0; k < info.input_components; ++k) row.push_back(image.pixels[static_cast<std::size_t>((info.next_scanline * image.size.width + j) * 3 + k % 3)]);
    JSAMPROW line = row.data();
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::vector<unsigned char> bytes(memory, memory + size);
  std::free(memory);
  return bytes;
}

/// A ramp without edges, which JPEG keeps well.
ByteImage ramp(std::int64_t height, std::int64_t width) {
  ByteImage image{{height, width, 3}, {}};
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j)
      for (int k = 0; k < 3; ++k) image.pixels.push_back(static_cast<std::uint8_t>(40 + 3 * i + 2 * j + k));
  return image;
}

TEST(DecodeJpeg, ComesBackNearlyAsItWas) {
  const ByteImage pattern = ramp(19, 30);
  for (const bool progressive : {false, true})
    for (const J_COLOR_SPACE space : {JCS_RGB, JCS_GRAYSCALE}) {
      ByteImage image;
      const Status status = decode_image(encode(pattern, progressive, space), image);
      ASSERT_TRUE(status) << status.error().text;
      ASSERT_EQ(image.size, pattern.size);
      for (std::size_t i = 0; i < image.pixels.size(); ++i) ASSERT_NEAR(image.pixels[i], pattern.pixels[i], 6) << i;
    }
}

TEST(DecodeJpeg, CmykIsRefused) {
  ByteImage image;
  const Status status = decode_image(encode(ramp(8, 8), false, JCS_CMYK), image);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().text.find("CMYK"), std::string::npos);
}

TEST(DecodeJpeg, DamageEndsInAReason) {
  expect_survives_damage(encode(test_pattern(20, 21)), 3000);
  expect_survives_damage(encode(test_pattern(20, 21), true), 3000);
}

TEST(DecodeJpeg, AClaimedSizeTakesNoMemory) {
  auto bytes = encode(ramp(8, 8));
  // The frame header: FF C0, length, precision, height, width.
  for (std::size_t i = 0; i + 8 < bytes.size(); ++i)
    if (bytes[i] == 0xFF && bytes[i + 1] == 0xC0)
      for (std::size_t k = 5; k < 9; ++k) bytes[i + k] = 0xFA;
  ByteImage image;
  const Status status = decode_image(bytes, image);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text, "JPEG has more than 2^26 pixels");
  EXPECT_TRUE(image.pixels.empty());
}

TEST(DecodeImage, SaysWhatAFileIsNot) {
  ByteImage image;
  EXPECT_EQ(decode_image({}, image).error().text, "is empty");
  const std::vector<unsigned char> text{'G', 'I', 'F', '8'};
  EXPECT_EQ(decode_image(text, image).error().text, "begins neither like a JPEG nor like a PNG file");
}

}  // namespace
}  // namespace detbench
