#include "models/data/folder.hpp"

#include <algorithm>
#include <cctype>
#include <string>

#include "models/data/file_bytes.hpp"
#include "models/data/image_file.hpp"

namespace detbench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_file = std::size_t{1} << 28;
constexpr int deepest = 32;

class FolderDataset final : public Dataset {
 public:
  FolderDataset(ImageSize image, ResizeMethod method) : image_(image), method_(method) {}
  const std::string& name() const override { return name_; }
  ImageSize image() const override { return image_; }
  std::int64_t size() const override { return static_cast<std::int64_t>(files_.size()); }
  const std::vector<std::string>& classes() const override { return classes_; }
  std::int32_t label(std::int64_t index) const override { return labels_[static_cast<std::size_t>(index)]; }
  const std::vector<std::string>& skipped() const override { return skipped_; }

  Status read(std::int64_t index, std::span<float> pixels) const override {
    // Per thread, so that batches after the first take no memory but what the decoding library does.
    thread_local std::vector<unsigned char> bytes;
    thread_local ByteImage decoded;
    thread_local ResizeScratch scratch;
    const fs::path& file = files_[static_cast<std::size_t>(index)];
    if (auto s = read_file_bytes(file, largest_file, bytes); !s) return s;
    if (auto s = decode_image(bytes, decoded); !s) return failure(file.string() + ": " + s.error().text, s.error().kind);
    resize(decoded, image_, method_, pixels, scratch);
    return {};
  }

  /// Adds every image below `root`, class by class.
  Status scan(const fs::path& root) {
    std::vector<fs::path> files, folders;
    if (auto s = list(root, files, folders); !s) return s;
    for (const auto& file : files) skip(file, "lies beside the class folders");
    for (const auto& folder : folders) {
      const std::size_t before = files_.size();
      classes_.push_back(folder.filename().string());
      if (auto s = scan_class(folder, 0); !s) return s;
      if (files_.size() == before) return invalid_input(folder.string() + ": no .jpg, .jpeg or .png file of this class");
    }
    if (classes_.empty()) return invalid_input(root.string() + ": holds no folder; there must be one per class");
    return {};
  }

 private:
  void skip(const fs::path& path, const std::string& why) { skipped_.push_back(path.string() + ": " + why); }

  /// The regular files and folders of a folder, each sorted by name.
  Status list(const fs::path& folder, std::vector<fs::path>& files, std::vector<fs::path>& folders) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code unknown;
      const fs::file_status status = entry->symlink_status(unknown);
      if (!unknown && fs::is_regular_file(status)) files.push_back(entry->path());
      else if (!unknown && fs::is_directory(status)) folders.push_back(entry->path());
      else skip(entry->path(), fs::is_symlink(status) ? "is a symbolic link" : "is no regular file");
    }
    if (error) return invalid_input(folder.string() + ": " + error.message());
    std::sort(files.begin(), files.end());
    std::sort(folders.begin(), folders.end());
    return {};
  }

  Status scan_class(const fs::path& folder, int depth) {
    if (depth > deepest) return invalid_input(folder.string() + ": lies deeper than " + std::to_string(deepest) + " folders");
    std::vector<fs::path> files, folders;
    if (auto s = list(folder, files, folders); !s) return s;
    for (const auto& file : files) {
      std::string ending = file.extension().string();
      std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const bool jpeg = ending == ".jpg" || ending == ".jpeg", png = ending == ".png";
      if (!jpeg && !png) {
        skip(file, "is no .jpg, .jpeg or .png file");
        continue;
      }
      if (const auto library = jpeg ? jpeg_library() : png_library(); !library) return failure(file.string() + ": " + library.error().text, library.error().kind);
      files_.push_back(file);
      labels_.push_back(static_cast<std::int32_t>(classes_.size() - 1));
    }
    for (const auto& below : folders)
      if (auto s = scan_class(below, depth + 1); !s) return s;
    return {};
  }

  ImageSize image_;
  ResizeMethod method_;
  std::string name_ = "folder";
  std::vector<fs::path> files_;
  std::vector<std::int32_t> labels_;
  std::vector<std::string> classes_, skipped_;
};

}  // namespace

Result<std::unique_ptr<Dataset>> open_image_folder(const fs::path& root, std::int64_t height, std::int64_t width, ResizeMethod method) {
  if (height < 1 || width < 1 || height > 8192 || width > 8192)
    return invalid_input("images are resized to 1 to 8192 rows and columns, not " + std::to_string(height) + "x" + std::to_string(width));
  auto dataset = std::make_unique<FolderDataset>(ImageSize{height, width, 3}, method);
  if (auto s = dataset->scan(root); !s) return tl::unexpected(s.error());
  return dataset;
}

}  // namespace detbench
