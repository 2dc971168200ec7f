#include "kernels/device/cpu_cache.hpp"

#include <fstream>
#include <set>
#include <string>
#include <system_error>

namespace detbench {
namespace {

std::string read_word(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

/// "32768K", "2M" or plain bytes.
std::size_t parse_size(const std::string& text) {
  std::size_t value = 0, i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && value < (std::size_t{1} << 40); ++i)
    value = value * 10 + static_cast<std::size_t>(text[i] - '0');
  if (i < text.size() && text[i] == 'K') return value << 10;
  if (i < text.size() && text[i] == 'M') return value << 20;
  if (i < text.size() && text[i] == 'G') return value << 30;
  return value;
}

}  // namespace

std::size_t total_cache_bytes(const std::filesystem::path& cpus) {
  std::set<std::string> counted;  // one cache appears once per processor that shares it
  std::size_t total = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator cpu(cpus, error), end; !error && cpu != end; cpu.increment(error)) {
    std::error_code inner;
    for (std::filesystem::directory_iterator cache(cpu->path() / "cache", inner); !inner && cache != end;
         cache.increment(inner)) {
      if (cache->path().filename().string().rfind("index", 0) != 0 ||
          read_word(cache->path() / "type") == "Instruction")
        continue;
      const std::string name = read_word(cache->path() / "level") + " " + read_word(cache->path() / "type") + " " +
                               read_word(cache->path() / "shared_cpu_list");
      if (counted.insert(name).second) total += parse_size(read_word(cache->path() / "size"));
    }
  }
  return total;
}

}  // namespace detbench
