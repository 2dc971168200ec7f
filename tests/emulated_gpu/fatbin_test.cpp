// Fatbins made by hand, as nvcc lays them out.
#include "tests/emulated_gpu/fatbin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

namespace detbench::emulated {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t entry_header_bytes = 64;

template <class T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string entry(std::uint16_t kind, std::uint32_t architecture, std::string contents, std::uint32_t compressed_bytes = 0) {
  contents.resize((contents.size() + 8) / 8 * 8);
  std::string result;
  append(result, FatbinEntry{kind, 0x101, entry_header_bytes, contents.size(), compressed_bytes, 0, 0, 9, architecture});
  result.resize(entry_header_bytes);
  return result + contents;
}

/// Holds what the wrapper points to.
struct Fatbin {
  explicit Fatbin(const std::string& entries) {
    append(bytes, FatbinHeader{FatbinHeader::right_magic, 1, sizeof(FatbinHeader), entries.size()});
    bytes += entries;
    wrapper = {FatbinWrapper::right_magic, 1, bytes.data(), nullptr};
  }
  std::string bytes;
  FatbinWrapper wrapper;
};

std::string refusal(const FatbinWrapper* wrapper) {
  try {
    ptx_of_fatbin(wrapper);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}
std::string refusal(const Fatbin& fatbin) { return refusal(&fatbin.wrapper); }

TEST(Fatbin, GivesThePtxOfTheNewestArchitectureAmongOtherEntries) {
  const Fatbin fatbin(entry(2, 100, "machine code") + entry(1, 80, ".version 8.0 old") + entry(1, 90, ".version 9.0\n.target sm_90\n") + entry(2, 90, "machine code"));
  EXPECT_EQ(ptx_of_fatbin(&fatbin.wrapper), ".version 9.0\n.target sm_90\n");
}

TEST(Fatbin, SaysWhatIsWrong) {
  EXPECT_THAT(refusal(static_cast<const FatbinWrapper*>(nullptr)), HasSubstr("there is none"));
  Fatbin wrapped(entry(1, 90, ".version 9.0"));
  wrapped.wrapper.magic = 1;
  EXPECT_THAT(refusal(wrapped), HasSubstr("0x466243b1"));
  Fatbin headless(entry(1, 90, ".version 9.0"));
  headless.bytes[0] = 0;
  EXPECT_THAT(refusal(headless), HasSubstr("0xba55ed50"));
  EXPECT_THAT(refusal(Fatbin(entry(2, 90, "machine code"))), HasSubstr("no PTX; compile for a virtual architecture"));
  EXPECT_THAT(refusal(Fatbin(entry(1, 90, "\x28\xb5\x2f\xfd", 4))), HasSubstr("--no-compress"));
  EXPECT_THAT(refusal(Fatbin(entry(1, 90, "\x28\xb5\x2f\xfd"))), HasSubstr("is no text"));
}

TEST(Fatbin, RefusesAnEntryThatGoesPastItsEnd) {
  std::string entries = entry(1, 90, ".version 9.0");
  const std::uint64_t too_many = entries.size();
  std::memcpy(entries.data() + offsetof(FatbinEntry, bytes), &too_many, sizeof too_many);
  EXPECT_THAT(refusal(Fatbin(entries)), HasSubstr("past its end"));
}

}  // namespace
}  // namespace detbench::emulated
