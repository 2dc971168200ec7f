#include "models/data/cifar10.hpp"

#include <algorithm>
#include <string>

#include "models/data/file_bytes.hpp"

namespace detbench {
namespace {

constexpr std::size_t side = 32, plane = side * side, record = 1 + 3 * plane, largest_file = 10000 * record;

class Cifar10Dataset final : public Dataset {
 public:
  Cifar10Dataset(std::vector<unsigned char> records, std::vector<std::string> classes) : records_(std::move(records)), classes_(std::move(classes)) {}
  const std::string& name() const override { return name_; }
  ImageSize image() const override { return {side, side, 3}; }
  std::int64_t size() const override { return static_cast<std::int64_t>(records_.size() / record); }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return records_[static_cast<std::size_t>(index) * record]; }
  Status read(std::int64_t index, std::span<float> pixels) const override {
    const unsigned char* planes = records_.data() + static_cast<std::size_t>(index) * record + 1;
    for (std::size_t i = 0; i < plane; ++i)
      for (std::size_t k = 0; k < 3; ++k) pixels[i * 3 + k] = static_cast<float>(planes[k * plane + i]);
    return {};
  }

 private:
  std::string name_ = "cifar10";
  std::vector<unsigned char> records_;
  std::vector<std::string> classes_;
};

Status append_records(const std::filesystem::path& path, std::vector<unsigned char>& records) {
  std::vector<unsigned char> bytes;
  if (auto s = read_file_bytes(path, largest_file, bytes); !s) return s;
  if (bytes.empty()) return invalid_input(path.string() + ": is empty");
  if (bytes.size() % record != 0)
    return invalid_input(path.string() + ": " + std::to_string(bytes.size()) + " bytes are no whole number of records of " + std::to_string(record) + "; the file is cut off or none of CIFAR-10's");
  for (std::size_t at = 0; at < bytes.size(); at += record)
    if (bytes[at] > 9) return invalid_input(path.string() + ": record " + std::to_string(at / record) + " has label " + std::to_string(bytes[at]) + ", above 9");
  records.insert(records.end(), bytes.begin(), bytes.end());
  return {};
}

/// batches.meta.txt: ten lines with a name each.
std::vector<std::string> class_names(const std::filesystem::path& folder) {
  const std::vector<std::string> own = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  std::vector<unsigned char> bytes;
  if (!read_file_bytes(folder / "batches.meta.txt", 4096, bytes)) return own;
  std::vector<std::string> names(1);
  for (const unsigned char byte : bytes) {
    if (byte == '\n') names.emplace_back();
    else if (byte >= ' ' && byte < 0x7F) names.back() += static_cast<char>(byte);
  }
  std::erase_if(names, [](const std::string& n) { return n.empty(); });
  return names.size() == 10 ? names : own;
}

}  // namespace

Result<std::unique_ptr<Dataset>> open_cifar10(const std::filesystem::path& folder, Cifar10Part part) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (part == Cifar10Part::test ? name == "test_batch.bin" : name.starts_with("data_batch_") && name.ends_with(".bin")) files.push_back(entry->path());
  }
  if (error) return invalid_input(folder.string() + ": " + error.message());
  if (files.empty()) return invalid_input(folder.string() + ": holds no " + (part == Cifar10Part::test ? "test_batch.bin" : "data_batch_*.bin") + " of CIFAR-10's binary version");
  std::sort(files.begin(), files.end());
  std::vector<unsigned char> records;
  for (const auto& file : files)
    if (auto s = append_records(file, records); !s) return tl::unexpected(s.error());
  return std::make_unique<Cifar10Dataset>(std::move(records), class_names(folder));
}

}  // namespace detbench
