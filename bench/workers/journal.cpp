#include "bench/workers/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace detbench {

Result<Journal> Journal::open(const std::filesystem::path& path, bool create) {
  const int fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0644);
  if (fd < 0) return invalid_input("'" + path.string() + "' cannot be opened as a journal: " + std::strerror(errno));
  // A torn last line would otherwise swallow the next one.
  const auto size = lseek(fd, 0, SEEK_END);
  char last = '\n';
  if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n') {
    off_t keep = size;
    char c;
    while (keep > 0 && (pread(fd, &c, 1, keep - 1) != 1 || c != '\n')) --keep;
    if (ftruncate(fd, keep) != 0) {
      close(fd);
      return failure("'" + path.string() + "': the torn last line cannot be cut off: " + std::strerror(errno));
    }
  }
  return Journal(fd);
}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

Status Journal::append(const Json& line) { return append(std::vector<Json>{line}); }

Status Journal::append(const std::vector<Json>& lines) {
  std::string text;
  for (const auto& line : lines) text += line.dump() + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const auto n = write(fd_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failure(std::string("the journal cannot be written: ") + std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
  if (fdatasync(fd_) != 0) return failure(std::string("the journal cannot be synced: ") + std::strerror(errno));
  return {};
}

Result<std::vector<Json>> read_journal(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return invalid_input("'" + path.string() + "' is not there: --resume takes the folder of an earlier run");
  std::vector<Json> lines;
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    const bool whole = !file.eof();
    auto line = Json::parse(text, nullptr, false);
    if (!line.is_discarded() && whole) {
      lines.push_back(std::move(line));
    } else if (whole) {
      return invalid_input("'" + path.string() + "' line " + std::to_string(number) + " is not JSON: the journal was damaged");
    }
  }
  return lines;
}

}  // namespace detbench
