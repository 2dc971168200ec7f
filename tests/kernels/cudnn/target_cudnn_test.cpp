#include <dlfcn.h>

#include <nlohmann/json.hpp>

#include "graphs.hpp"

namespace detbench {
namespace {

using testing::Cudnn;

TEST_F(Cudnn, KnowsEveryArchitectureByName) {
  const auto names = cudnn::known_architectures();
  for (const char* wanted : {"sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"})
    EXPECT_NE(std::find(names.begin(), names.end(), wanted), names.end()) << wanted;
  for (const auto& name : names) {
    const auto target = cudnn::Target::of_architecture(name);
    ASSERT_TRUE(target) << name << ": " << target.error().text;
    EXPECT_EQ("sm_" + std::to_string(target->compute_capability() / 10), name);
    EXPECT_GT(target->multiprocessors(), 0);
    EXPECT_FALSE(target->name().empty());
  }
}

TEST_F(Cudnn, RefusesAnArchitectureItDoesNotKnowAndNamesThoseItDoes) {
  for (const char* text : {"sm_91", "90", "", "sm_", "hopper", "sm_90 ", "SM_90"}) {
    const auto target = cudnn::Target::of_architecture(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().kind, Reason::Kind::invalid_input);
    EXPECT_NE(target.error().text.find("sm_90"), std::string::npos);
    EXPECT_EQ(target.error().text.find('\n'), std::string::npos);
  }
}

TEST_F(Cudnn, ATargetsTextMakesTheSameTarget) {
  const auto again = cudnn::Target::of_json(target().json());
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->json(), target().json());
  EXPECT_EQ(again->multiprocessors(), 132);
  EXPECT_EQ(again->compute_capability(), 900);
}

TEST_F(Cudnn, EveryOneOfTheKeysIsNeeded) {
  const auto whole = nlohmann::ordered_json::parse(target().json());
  EXPECT_GE(whole.size(), 23u);
  for (const auto& [key, value] : whole.items()) {
    if (key == "memoryBusWidth") continue;  // wanted by versions after 9.23 only
    auto less = whole;
    less.erase(key);
    const auto made = cudnn::Target::of_json(less.dump());
    ASSERT_FALSE(made) << "without " << key;
    EXPECT_EQ(made.error().kind, Reason::Kind::invalid_input);
  }
  for (const char* text : {"", "{}", "nonsense", "[1,2]", "null"}) EXPECT_FALSE(cudnn::Target::of_json(text)) << text;
}

TEST_F(Cudnn, AskingForADeviceGivesItOrTheReason) {
  const auto device = make_cuda_device();
  const auto made = cudnn::Target::of_device(0);
  EXPECT_EQ(made.has_value(), device.has_value());
  if (!made) {
    EXPECT_FALSE(made.error().text.empty());
    return;
  }
  // What a GPU says of itself is a text of_json() takes.
  const auto again = cudnn::Target::of_json(made->json());
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->multiprocessors(), made->multiprocessors());
}

TEST(DriverLibrary, IsThereWhenTheLoaderFindsIt) {
  void* handle = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  EXPECT_EQ(cudnn::driver_library_present(), handle != nullptr);
  if (handle != nullptr) dlclose(handle);
}

}  // namespace
}  // namespace detbench
