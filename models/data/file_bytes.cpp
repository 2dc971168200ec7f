#include "models/data/file_bytes.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace detbench {

Status read_file_bytes(const std::filesystem::path& path, std::size_t limit, std::vector<unsigned char>& bytes) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (error || !std::filesystem::is_regular_file(status))
    return invalid_input(path.string() + ": " + (error ? error.message() : std::filesystem::is_symlink(status) ? "is a symbolic link" : "is no regular file"));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return invalid_input(path.string() + ": " + std::strerror(errno));
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return invalid_input(path.string() + ": " + error.message());
  if (size > limit) return invalid_input(path.string() + ": " + std::to_string(size) + " bytes are more than the " + std::to_string(limit) + " that are read");
  bytes.resize(static_cast<std::size_t>(size));
  if (std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size())
    return invalid_input(path.string() + ": ended before its " + std::to_string(size) + " bytes");
  return {};
}

}  // namespace detbench
