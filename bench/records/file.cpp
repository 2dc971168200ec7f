// Result files on disk: read with suspicion, written whole or not at all.
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "bench/records/field_reader.hpp"
#include "bench/records/json_text.hpp"

namespace detbench {
namespace {

namespace fs = std::filesystem;

std::string reason_of(int error) { return std::strerror(error); }

std::string too_large(std::size_t max_bytes) {
  return "more than " + std::to_string(max_bytes >> 20) + " MiB; a result file is smaller";
}

Result<std::string> read_bytes(const fs::path& path, std::size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return invalid_input(path.string() + ": cannot be read: " + reason_of(errno));
  std::string bytes;
  char block[1 << 16];
  while (file.read(block, sizeof block) || file.gcount() > 0) {
    bytes.append(block, static_cast<std::size_t>(file.gcount()));
    if (bytes.size() > max_bytes) return invalid_input(path.string() + ": holds " + too_large(max_bytes));
  }
  if (file.bad()) return failure(path.string() + ": cannot be read: " + reason_of(errno));
  return bytes;
}

/// Unpacks one or several gzip members, as gzip itself accepts, block by block to `take`, until it says false.
template <class Take>
Status inflate_all(const std::string& packed, const std::string& what, Take take) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
    return failure(what + ": zlib cannot start", Reason::Kind::out_of_memory);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::vector<char> block(1 << 16);
  int code = Z_OK;
  bool fits = true;
  while (code == Z_OK && fits) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    code = inflate(&stream, Z_NO_FLUSH);
    fits = take(std::string_view(block.data(), block.size() - stream.avail_out));
    if (code == Z_STREAM_END && stream.avail_in > 0) code = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (!fits) return {};
  if (code == Z_BUF_ERROR) return invalid_input(what + ": the gzip data end too early; the file was cut off");
  if (code != Z_STREAM_END) return invalid_input(what + ": the gzip data are damaged");
  return {};
}

/// Measured first and kept after, so that a small file that unpacks to gigabytes never occupies them.
Result<std::string> unpack(const std::string& packed, const std::string& what, std::size_t max_bytes) {
  std::size_t bytes = 0;
  const auto measured =
      inflate_all(packed, what, [&](std::string_view part) { return (bytes += part.size()) <= max_bytes; });
  if (!measured) return tl::unexpected(measured.error());
  if (bytes > max_bytes) return invalid_input(what + ": unpacks to " + too_large(max_bytes));
  std::string text;
  text.reserve(bytes);
  const auto unpacked =
      inflate_all(packed, what, [&](std::string_view part) { return text.append(part).size() <= bytes; });
  if (!unpacked) return tl::unexpected(unpacked.error());
  return text;
}

/// Deterministic gzip: no time, no name in the header.
Result<std::string> pack(std::string_view text, const std::string& what) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return failure(what + ": zlib cannot start", Reason::Kind::out_of_memory);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int code = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (code != Z_STREAM_END) return failure(what + ": zlib cannot compress it");
  return packed;
}

bool is_gzip(std::string_view bytes) { return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b'; }

/// A file descriptor that closes itself.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

Status write_and_sync(const fs::path& path, std::string_view content) {
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
  if (file.value < 0) return failure(path.string() + ": cannot be created: " + reason_of(errno));
  while (!content.empty()) {
    const auto written = ::write(file.value, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure(path.string() + ": cannot be written: " + reason_of(errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.value) != 0) return failure(path.string() + ": cannot be written: " + reason_of(errno));
  return {};
}

}  // namespace

Status write_whole_file(const fs::path& path, std::string_view content, bool force) {
  std::error_code error;
  if (fs::is_directory(path, error)) return invalid_input(path.string() + ": is a folder; a file name is needed");
  const auto exists = [&] { return fs::symlink_status(path, error).type() != fs::file_type::not_found; };
  const auto refused = [&] {
    return invalid_input(path.string() + ": is there already; --force replaces it, or choose another name");
  };
  if (!force && exists()) return refused();
  fs::path partial = path;
  partial += ".partial." + std::to_string(::getpid());
  fs::remove(partial, error);
  auto written = write_and_sync(partial, content);
  if (written && force && ::rename(partial.c_str(), path.c_str()) != 0)
    written = failure(path.string() + ": cannot be replaced: " + reason_of(errno));
  // A link fails where the name is taken, so two writers at once cannot overwrite each other; a file system without
  // links gets the check above and a rename.
  if (written && !force && ::link(partial.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST)
      written = refused();
    else if (::rename(partial.c_str(), path.c_str()) != 0)
      written = failure(path.string() + ": cannot be written: " + reason_of(errno));
  }
  fs::remove(partial, error);
  if (!written) return written;
  // The name is safe only when the folder is.
  const Descriptor folder{
      ::open(path.has_parent_path() ? path.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.value >= 0) ::fsync(folder.value);
  return {};
}

Result<std::string> read_whole_file(const fs::path& path, std::size_t max_bytes) {
  std::error_code error;
  if (!fs::exists(path, error)) return invalid_input(path.string() + ": there is no such file");
  if (!fs::is_regular_file(path, error)) return invalid_input(path.string() + ": is not a regular file");
  auto bytes = read_bytes(path, max_bytes);
  if (!bytes || !is_gzip(*bytes)) return bytes;
  return unpack(*bytes, path.string(), max_bytes);
}

Result<ResultFile> read_result_file(const fs::path& path) {
  std::error_code error;
  fs::path file = path;
  if (fs::is_directory(path, error)) {
    file = path / "result.json";
    if (!fs::exists(file, error) && fs::exists(path / "result.json.gz", error)) file = path / "result.json.gz";
    if (!fs::exists(file, error))
      return invalid_input(path.string() + ": holds no result.json; name a folder written by `detbench run`");
  }
  try {
    const auto text = read_whole_file(file);
    if (!text) return tl::unexpected(text.error());
    const auto json = parse_json(*text, file.string());
    if (!json) return tl::unexpected(json.error());
    auto result = read_result(*json);
    if (!result) return failure(file.string() + ": " + result.error().text, result.error().kind);
    return result;
  } catch (const std::bad_alloc&) {
    return failure(file.string() + ": too large for the free memory of this machine", Reason::Kind::out_of_memory);
  }
}

Status write_result_file(const ResultFile& result, const fs::path& path, bool force) {
  try {
    const Json json = to_json(result);
    // Nothing is written that could not be read again: a NaN where none may be shows here, not at the reader's.
    if (const auto again = read_result(json); !again)
      return failure(path.string() + ": not written, because it could not be read again: " + again.error().text);
    // Invalid UTF-8 (a library's message) becomes the replacement character instead of an exception.
    std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (path.extension() == ".gz") {
      auto packed = pack(text, path.string());
      if (!packed) return tl::unexpected(packed.error());
      text = std::move(*packed);
    }
    return write_whole_file(path, text, force);
  } catch (const std::bad_alloc&) {
    return failure(path.string() + ": too large for the free memory of this machine", Reason::Kind::out_of_memory);
  }
}

}  // namespace detbench
