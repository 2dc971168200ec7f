// The append-only journal of a run: one JSON line per finished piece of work, synced, so that a crash, an interrupt or
// a power cut loses at most the piece in flight (METHOD section 6).
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench {

class Journal {
 public:
  /// Opens for appending; creates the file when `create` (it must not exist then).
  static Result<Journal> open(const std::filesystem::path& path, bool create);
  Journal(Journal&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Journal& operator=(Journal&&) = delete;
  ~Journal();
  Status append(const Json& line);
  /// Many lines with one sync.
  Status append(const std::vector<Json>& lines);

 private:
  explicit Journal(int fd) : fd_(fd) {}
  int fd_;
};

/// All whole lines. A torn last line (the write a crash interrupted) is dropped; a malformed line elsewhere is refused
/// with its number.
Result<std::vector<Json>> read_journal(const std::filesystem::path& path);

}  // namespace detbench
