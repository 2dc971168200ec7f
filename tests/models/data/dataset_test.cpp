#include "models/data/dataset.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/tensor/philox.hpp"
#include "models/data/cifar10.hpp"
#include "models/data/procedural.hpp"
#include "tests/models/data/folders.hpp"

namespace detbench {
namespace {

std::vector<float> read(const Dataset& dataset, std::int64_t index) {
  std::vector<float> pixels(static_cast<std::size_t>(element_count(dataset.image())), -1.0f);
  const Status status = dataset.read(index, pixels);
  EXPECT_TRUE(status) << status.error().text;
  return pixels;
}

TEST(ProceduralDataset, ImagesAreWholeNumbersOfABytesRangeAndDifferEachTime) {
  const auto dataset = make_procedural_dataset({{20, 31, 3}, 7, 100, 1, 48});
  ASSERT_TRUE(dataset) << dataset.error().text;
  EXPECT_EQ((*dataset)->size(), 100);
  EXPECT_EQ((*dataset)->classes().size(), 7u);
  EXPECT_EQ((*dataset)->label(9), 2);
  const auto first = read(**dataset, 0), again = read(**dataset, 7);
  EXPECT_NE(first, again);
  for (const float value : first) EXPECT_TRUE(value >= 0 && value <= 255 && value == static_cast<float>(static_cast<int>(value))) << value;
  EXPECT_EQ(read(**dataset, 0), first);
  EXPECT_NE(read(**make_procedural_dataset({{20, 31, 3}, 7, 100, 2, 48}), 0), first);
}

TEST(ProceduralDataset, NoMeanColourTellsTheClass) {
  // The mean of an image varies within a class about as much as between classes, so a network has to look at the pattern.
  const auto dataset = make_procedural_dataset({{24, 24, 3}, 4, 400, 1, 48});
  ASSERT_TRUE(dataset);
  std::vector<double> sum(4), square(4);
  for (std::int64_t i = 0; i < 400; ++i) {
    double mean = 0;
    for (const float value : read(**dataset, i)) mean += value / (24 * 24 * 3);
    const auto label = static_cast<std::size_t>((*dataset)->label(i));
    sum[label] += mean / 100;
    square[label] += mean * mean / 100;
  }
  for (std::size_t c = 0; c < 4; ++c) EXPECT_GT(std::sqrt(square[c] - sum[c] * sum[c]), 8) << c;
}

TEST(ProceduralDataset, HasThesePixels) {
  // A change of the rules would change every published training run.
  const auto pixels = read(**make_procedural_dataset({{28, 28, 3}, 10, 1000, 1, 48}), 123);
  std::uint64_t hash = 0;
  for (const float value : pixels) hash = mix64(hash + static_cast<std::uint64_t>(value) + 1);
  EXPECT_EQ(hash, 11455690517319961313u);
}

TEST(ProceduralDataset, RefusesWhatCannotBe) {
  EXPECT_FALSE(make_procedural_dataset({{0, 28, 3}, 10, 10, 1, 48}));
  EXPECT_FALSE(make_procedural_dataset({{28, 28, 65}, 10, 10, 1, 48}));
  EXPECT_FALSE(make_procedural_dataset({{4, 400, 3}, 10, 10, 1, 48}));
  EXPECT_FALSE(make_procedural_dataset({{28, 28, 3}, 1, 10, 1, 48}));
  EXPECT_FALSE(make_procedural_dataset({{28, 28, 3}, 10, 0, 1, 48}));
  EXPECT_FALSE(make_procedural_dataset({{28, 28, 3}, 10, 10, 1, 300}));
}

std::vector<unsigned char> cifar_records(int count, int seed) {
  std::vector<unsigned char> bytes;
  for (int r = 0; r < count; ++r) {
    bytes.push_back(static_cast<unsigned char>((r + seed) % 10));
    for (int i = 0; i < 3072; ++i) bytes.push_back(static_cast<unsigned char>(i / 1024 * 80 + (i % 1024) % 64 + seed));
  }
  return bytes;
}

TEST(Cifar10, ReadsAllBatchesInOrderAndPutsPlanesIntoPixels) {
  const TemporaryFolder folder;
  folder.write("data_batch_2.bin", cifar_records(3, 2));
  folder.write("data_batch_1.bin", cifar_records(2, 1));
  folder.write("test_batch.bin", cifar_records(4, 5));
  folder.write("readme.html", cifar_records(1, 0));
  const auto training = open_cifar10(folder.path(), Cifar10Part::training);
  ASSERT_TRUE(training) << training.error().text;
  EXPECT_EQ((*training)->size(), 5);
  EXPECT_EQ((*training)->label(0), 1);
  EXPECT_EQ((*training)->label(2), 2);
  EXPECT_EQ((*training)->classes()[3], "cat");
  const auto pixels = read(**training, 0);
  EXPECT_EQ(pixels[0], 1);
  EXPECT_EQ(pixels[1], 81);
  EXPECT_EQ(pixels[2], 161);
  EXPECT_EQ(pixels[3 * 65 + 1], 80 + 65 % 64 + 1);
  const auto test = open_cifar10(folder.path(), Cifar10Part::test);
  ASSERT_TRUE(test);
  EXPECT_EQ((*test)->size(), 4);
}

TEST(Cifar10, RefusesMalformedFilesWithPathAndReason) {
  const auto reason = [](std::vector<unsigned char> bytes) {
    const TemporaryFolder folder;
    folder.write("data_batch_1.bin", bytes);
    const auto opened = open_cifar10(folder.path(), Cifar10Part::training);
    return opened ? std::string() : opened.error().text;
  };
  auto bytes = cifar_records(2, 1);
  EXPECT_EQ(reason(bytes), "");
  bytes[3073] = 10;
  EXPECT_NE(reason(bytes).find("data_batch_1.bin: record 1 has label 10"), std::string::npos);
  for (const std::size_t size : {1u, 3072u, 3074u, 6145u}) {
    auto cut = cifar_records(2, 1);
    cut.resize(size);
    EXPECT_NE(reason(cut).find("no whole number of records"), std::string::npos) << size;
  }
  EXPECT_NE(reason({}).find("is empty"), std::string::npos);
  EXPECT_NE(reason(std::vector<unsigned char>(10001 * 3073)).find("more than"), std::string::npos);
  const TemporaryFolder none;
  EXPECT_NE(open_cifar10(none.path(), Cifar10Part::test).error().text.find("test_batch.bin"), std::string::npos);
  EXPECT_FALSE(open_cifar10(none.path() / "absent", Cifar10Part::test));
  const TemporaryFolder linked;
  std::filesystem::create_symlink("/dev/zero", linked.path() / "data_batch_1.bin");
  EXPECT_NE(open_cifar10(linked.path(), Cifar10Part::training).error().text.find("symbolic link"), std::string::npos);
}

}  // namespace
}  // namespace detbench
