// What the tests of both decoders do: damage a file in every way that is cheap, and see that it ends in a reason.
#pragma once

#include <gtest/gtest.h>

#include "kernels/tensor/philox.hpp"
#include "models/data/image_file.hpp"

namespace detbench {

/// Every truncation, and `flips` seeded changes of one to four bytes. Decoding answers with an image of the size it claims or
/// with a line that can be printed.
inline void expect_survives_damage(const std::vector<unsigned char>& file, int flips) {
  ByteImage image;
  const auto ask = [&image](const std::vector<unsigned char>& bytes) {
    const Status status = decode_image(bytes, image);
    if (status) {
      EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.size.height * image.size.width * 3));
      EXPECT_LE(image.size.height * image.size.width, largest_image_pixels);
      return true;
    }
    EXPECT_FALSE(status.error().text.empty());
    for (const char c : status.error().text) EXPECT_TRUE(c >= ' ' && c < 0x7F);
    return false;
  };
  ASSERT_TRUE(ask(file));
  // The last bytes are an end marker, without which the pixels may be there all the same.
  for (std::size_t size = 0; size + 16 < file.size(); ++size) EXPECT_FALSE(ask({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
  int refused = 0;
  for (int i = 0; i < flips; ++i) {
    std::vector<unsigned char> bytes = file;
    const PhiloxWords words = philox4x32(static_cast<std::uint64_t>(i), 0, 0, stream_key(1, "damage"));
    for (std::uint32_t k = 0; k <= words.w[0] % 4; ++k) {
      const PhiloxWords where = philox4x32(static_cast<std::uint64_t>(i), 1 + k, 0, stream_key(1, "damage"));
      bytes[where.w[0] % bytes.size()] = static_cast<unsigned char>(where.w[1]);
    }
    refused += !ask(bytes);
  }
  EXPECT_GT(refused, flips / 20);
}

/// A pattern with an edge and a ramp, H,W,3.
inline ByteImage test_pattern(std::int64_t height, std::int64_t width) {
  ByteImage image{{height, width, 3}, {}};
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j)
      for (int k = 0; k < 3; ++k) image.pixels.push_back(static_cast<std::uint8_t>((i * 5 + j * 3 + k * 40 + (j > width / 2 ? 60 : 0)) % 256));
  return image;
}

}  // namespace detbench
