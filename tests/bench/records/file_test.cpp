#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>

#include "bench/records/record.hpp"
#include "tests/bench/records/synthetic/synthetic_result.hpp"

namespace detbench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ResultFiles : public ::testing::Test {
 protected:
  ResultFiles() {
    folder_ = fs::temp_directory_path() / ("detbench-records-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  ~ResultFiles() override { fs::remove_all(folder_); }

  void put(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::string get(const std::string& name) {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string reason(const fs::path& path) {
    const auto result = read_result_file(path);
    return result ? "accepted" : result.error().text;
  }
  /// gzip by zlib's own file interface, not by our code.
  void put_gzip(const std::string& name, const std::string& bytes) {
    gzFile file = gzopen((folder_ / name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  }
  fs::path folder_;
};

TEST_F(ResultFiles, writtenAndReadAgainPlainPackedAndByFolder) {
  const auto file = synthetic::make({});
  ASSERT_TRUE(write_result_file(file, folder_ / "result.json", false));
  ASSERT_TRUE(write_result_file(file, folder_ / "packed.json.gz", false));
  EXPECT_LT(fs::file_size(folder_ / "packed.json.gz") * 4, fs::file_size(folder_ / "result.json"));
  for (const auto& path : {folder_ / "result.json", folder_ / "packed.json.gz", folder_}) {
    const auto again = read_result_file(path);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(to_json(*again), to_json(file));
  }
  put_gzip("by_zlib.json", get("result.json"));
  EXPECT_EQ(reason(folder_ / "by_zlib.json"), "accepted");
  fs::remove(folder_ / "result.json");
  fs::rename(folder_ / "packed.json.gz", folder_ / "result.json.gz");
  EXPECT_EQ(reason(folder_), "accepted");
}

TEST_F(ResultFiles, packedFilesAreTheSameBytesEachTime) {
  const auto file = synthetic::make({});
  ASSERT_TRUE(write_result_file(file, folder_ / "a.json.gz", false));
  ASSERT_TRUE(write_result_file(file, folder_ / "b.json.gz", false));
  EXPECT_EQ(get("a.json.gz"), get("b.json.gz"));
}

TEST_F(ResultFiles, refusesWhatIsNotAResult) {
  EXPECT_THAT(reason(folder_ / "nowhere.json"), HasSubstr("nowhere.json: there is no such file"));
  EXPECT_THAT(reason(folder_), HasSubstr("holds no result.json"));
  put("empty.json", "");
  EXPECT_THAT(reason(folder_ / "empty.json"), HasSubstr("empty.json: is empty"));
  put("text.json", "hello");
  EXPECT_THAT(reason(folder_ / "text.json"), HasSubstr("is not valid JSON"));
  put("other.json", "{\"schema\": \"other\"}");
  EXPECT_THAT(reason(folder_ / "other.json"), HasSubstr("other.json: schema: is 'other'"));
}

TEST_F(ResultFiles, refusesEveryTruncation) {
  ASSERT_TRUE(write_result_file(synthetic::make({.layers = 1, .arms = 1, .reductions = false, .train_step = false}),
                                folder_ / "whole.json", false));
  const auto whole = get("whole.json");
  put_gzip("whole.gz", whole);
  const auto packed = get("whole.gz");
  for (std::size_t i = 0; i < 40; ++i) {
    put("cut.json", whole.substr(0, whole.size() * i / 40));
    EXPECT_NE(reason(folder_ / "cut.json"), "accepted") << i;
    put("cut.gz", packed.substr(0, packed.size() * i / 40));
    EXPECT_NE(reason(folder_ / "cut.gz"), "accepted") << i;
  }
  put("cut.gz", packed.substr(0, packed.size() / 2));
  EXPECT_THAT(reason(folder_ / "cut.gz"), HasSubstr("cut off"));
}

TEST_F(ResultFiles, refusesAGzipBombAndALargeFile) {
  put_gzip("bomb.gz", std::string(8 << 20, ' '));
  put("large.txt", std::string(8 << 20, ' '));
  EXPECT_LT(fs::file_size(folder_ / "bomb.gz"), 16384u);
  EXPECT_THAT(read_whole_file(folder_ / "bomb.gz", 4 << 20).error().text, HasSubstr("unpacks to more than 4 MiB"));
  EXPECT_THAT(read_whole_file(folder_ / "large.txt", 4 << 20).error().text, HasSubstr("holds more than 4 MiB"));
  EXPECT_EQ(read_whole_file(folder_ / "bomb.gz", 8 << 20)->size(), std::size_t{8} << 20);
}

TEST_F(ResultFiles, writesWholeOrNotAtAll) {
  ASSERT_TRUE(write_whole_file(folder_ / "a.txt", "one", false));
  const auto again = write_whole_file(folder_ / "a.txt", "two", false);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().text, HasSubstr("a.txt: is there already; --force"));
  EXPECT_EQ(get("a.txt"), "one");
  ASSERT_TRUE(write_whole_file(folder_ / "a.txt", "two", true));
  EXPECT_EQ(get("a.txt"), "two");
  EXPECT_THAT(write_whole_file(folder_ / "missing" / "a.txt", "x", false).error().text, HasSubstr("cannot be created"));
  EXPECT_THAT(write_whole_file(folder_, "x", true).error().text, HasSubstr("is a folder"));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_)) ++files;
  EXPECT_EQ(files, 1u) << "a temporary file was left behind";
}

TEST_F(ResultFiles, aSymlinkToNowhereCountsAsThere) {
  fs::create_symlink(folder_ / "nowhere", folder_ / "link");
  EXPECT_FALSE(write_whole_file(folder_ / "link", "x", false));
}

TEST_F(ResultFiles, neverWritesWhatCouldNotBeRead) {
  auto file = synthetic::make({.layers = 1});
  file.records[0].timing->samples[0].elapsed_s = std::numeric_limits<double>::quiet_NaN();
  const auto written = write_result_file(file, folder_ / "nan.json", false);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().text, HasSubstr("records[0].timing.samples[0].elapsed_s: is null"));
  EXPECT_FALSE(fs::exists(folder_ / "nan.json"));
}

TEST_F(ResultFiles, libraryMessagesThatAreNotUtf8AreKeptReadable) {
  auto file = synthetic::make({.layers = 1});
  file.records[0].reason = "bad byte \xff here";
  ASSERT_TRUE(write_result_file(file, folder_ / "utf8.json", false));
  const auto again = read_result_file(folder_ / "utf8.json");
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->records[0].reason, "bad byte \xEF\xBF\xBD here");
}

}  // namespace
}  // namespace detbench
