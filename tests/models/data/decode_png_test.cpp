#include <gtest/gtest.h>
#include <png.h>

#include "models/data/folder.hpp"
#include "tests/models/data/folders.hpp"
#include "tests/models/data/image_files.hpp"

namespace detbench {
namespace {

std::vector<unsigned char> encode(const ByteImage& image, int colour = PNG_COLOR_TYPE_RGB, int depth = 8, int interlace = PNG_INTERLACE_NONE) {
  std::vector<unsigned char> bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, [](png_structp p, png_bytep data, png_size_t size) {
    auto* out = static_cast<std::vector<unsigned char>*>(png_get_io_ptr(p));
    out->insert(out->end(), data, data + size);
  }, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.size.width), static_cast<png_uint_32>(image.size.height), depth, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_color palette[256];
  for (int i = 0; i < 256; ++i) palette[i] = {static_cast<png_byte>(i), static_cast<png_byte>(255 - i), 7};
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 256);
  std::vector<unsigned char> rows;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    const auto put = [&rows, depth](std::uint8_t value) {
      rows.push_back(value);
      if (depth == 16) rows.push_back(99);
    };
    put(image.pixels[i]);
    if (colour & PNG_COLOR_MASK_COLOR && colour != PNG_COLOR_TYPE_PALETTE) put(image.pixels[i + 1]), put(image.pixels[i + 2]);
    if (colour & PNG_COLOR_MASK_ALPHA) put(50);
  }
  std::vector<png_bytep> pointers;
  for (std::int64_t i = 0; i < image.size.height; ++i) pointers.push_back(rows.data() + static_cast<std::size_t>(i) * rows.size() / static_cast<std::size_t>(image.size.height));
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

TEST(DecodePng, ComesBackAsItWas) {
  const ByteImage pattern = test_pattern(13, 17);
  for (const int depth : {8, 16})
    for (const int colour : {PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA})
      for (const int interlace : {PNG_INTERLACE_NONE, PNG_INTERLACE_ADAM7}) {
        ByteImage image;
        const Status status = decode_image(encode(pattern, colour, depth, interlace), image);
        ASSERT_TRUE(status) << status.error().text;
        EXPECT_EQ(image.size, pattern.size);
        EXPECT_EQ(image.pixels, pattern.pixels) << depth << " " << colour << " " << interlace;
      }
}

TEST(DecodePng, GreysAndPalettesBecomeColours) {
  const ByteImage pattern = test_pattern(5, 6);
  ByteImage image;
  ASSERT_TRUE(decode_image(encode(pattern, PNG_COLOR_TYPE_GRAY), image));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) EXPECT_EQ(image.pixels[i], pattern.pixels[i / 3 * 3]);
  ASSERT_TRUE(decode_image(encode(pattern, PNG_COLOR_TYPE_PALETTE), image));
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    EXPECT_EQ(image.pixels[i], pattern.pixels[i]);
    EXPECT_EQ(image.pixels[i + 1], 255 - pattern.pixels[i]);
  }
}

TEST(DecodePng, DamageEndsInAReason) { expect_survives_damage(encode(test_pattern(20, 21)), 3000); }

TEST(DecodePng, AClaimedSizeTakesNoMemory) {
  auto bytes = encode(test_pattern(4, 4));
  // Width and height of the header, with its checksum made right again by the encoder: an image of 2^20 x 2^20 claims.
  ByteImage image;
  const ByteImage huge{{1 << 14, (1 << 12) + 1, 3}, std::vector<std::uint8_t>((std::size_t{1} << 14) * ((1 << 12) + 1) * 3)};
  const Status status = decode_image(encode(huge), image);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text, "PNG: more than 2^26 pixels");
  EXPECT_TRUE(image.pixels.empty());
}

TEST(ImageFolder, ClassesAndFilesComeSortedAndOddOnesAreListed) {
  const TemporaryFolder folder;
  const auto grey = [](int value) { return encode({{2, 3, 3}, std::vector<std::uint8_t>(18, static_cast<std::uint8_t>(value))}); };
  folder.write("zebra/b.png", grey(4));
  folder.write("zebra/a.PNG", grey(3));
  folder.write("ant/sub/c.png", grey(2));
  folder.write("ant/z.png", grey(1));
  folder.write("ant/notes.txt", grey(0));
  folder.write("stray.png", grey(0));
  std::filesystem::create_symlink(folder.path() / "ant/z.png", folder.path() / "ant/link.png");
  std::filesystem::create_directory_symlink(folder.path() / "ant", folder.path() / "bee");
  const auto dataset = open_image_folder(folder.path(), 4, 5, ResizeMethod::bilinear);
  ASSERT_TRUE(dataset) << dataset.error().text;
  EXPECT_EQ((*dataset)->classes(), (std::vector<std::string>{"ant", "zebra"}));
  ASSERT_EQ((*dataset)->size(), 4);
  std::vector<float> pixels(60);
  for (std::int64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE((*dataset)->read(i, pixels));
    for (const float value : pixels) ASSERT_EQ(value, static_cast<float>(i + 1));
    EXPECT_EQ((*dataset)->label(i), i / 2);
  }
  std::string skipped;
  for (const auto& line : (*dataset)->skipped()) skipped += line + "\n";
  for (const char* part : {"notes.txt: is no", "stray.png: lies beside", "link.png: is a symbolic link", "bee: is a symbolic link"})
    EXPECT_NE(skipped.find(part), std::string::npos) << part << " in " << skipped;
}

TEST(ImageFolder, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  EXPECT_NE(open_image_folder(folder.path(), 4, 4, ResizeMethod::nearest).error().text.find("one per class"), std::string::npos);
  EXPECT_FALSE(open_image_folder(folder.path() / "absent", 4, 4, ResizeMethod::nearest));
  auto bytes = encode(test_pattern(6, 6));
  bytes.resize(bytes.size() / 2);
  folder.write("ant/cut.png", bytes);
  EXPECT_FALSE(open_image_folder(folder.path(), 0, 4, ResizeMethod::nearest));
  const auto dataset = open_image_folder(folder.path(), 4, 4, ResizeMethod::nearest);
  ASSERT_TRUE(dataset);
  std::vector<float> pixels(48);
  const Status status = (*dataset)->read(0, pixels);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().text.find("ant/cut.png: PNG: "), std::string::npos) << status.error().text;
  std::filesystem::create_directory(folder.path() / "bee");
  EXPECT_NE(open_image_folder(folder.path(), 4, 4, ResizeMethod::nearest).error().text.find("bee: no .jpg"), std::string::npos);
}

}  // namespace
}  // namespace detbench
