// A whole file in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "kernels/result.hpp"

namespace detbench {

/// Replaces `bytes` by the contents of a regular file of at most `limit` bytes; memory grows only where it was too small.
/// Errors begin with the path. Symbolic links are refused.
Status read_file_bytes(const std::filesystem::path& path, std::size_t limit, std::vector<unsigned char>& bytes);

}  // namespace detbench
