#include <charconv>

#include "bench/verification/verification.hpp"
#include "kernels/reduction/isa.hpp"

namespace detbench {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

Result<int> thread_count(const std::string& word) {
  int threads = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), threads);
  if (error != std::errc{} || end != word.data() + word.size() || threads < 0 || threads > 1024)
    return invalid_input("--threads has '" + word.substr(0, 40) + "'; it takes numbers from 1 to 1024, or 0 for every core, like 1,2,3");
  return threads;
}

}  // namespace

Result<std::vector<RecomputeConfiguration>> parse_configurations(const std::string& threads, const std::string& isas) {
  std::vector<RecomputeConfiguration> configurations;
  for (const auto& isa : isas.empty() ? std::vector<std::string>{""} : words_of(isas)) {
    if (!isas.empty())
      if (const auto known = reduction::parse_isa(isa); !known) return invalid_input("--isa: " + known.error().text);
    for (const auto& word : threads.empty() ? std::vector<std::string>{"0"} : words_of(threads)) {
      const auto count = thread_count(word);
      if (!count) return tl::unexpected(count.error());
      configurations.push_back({*count, isa});
    }
  }
  return configurations;
}

}  // namespace detbench
