#include "bench/suites/profile.hpp"

namespace detbench {
namespace {

const std::vector<Profile>& profiles() {
  static const std::vector<Profile> all = [] {
    Profile smoke;
    smoke.info = {"smoke", 5, 1, 5, 2, 5};
    smoke.oversubscribe_limit_s = 5e-3;
    smoke.few_layers = true;
    smoke.layouts = {"nhwc"};
    smoke.types = {"f32_f32_strict"};
    smoke.sum_elements = {1 << 20};
    smoke.scatter = {{1 << 18, 1 << 10}};
    smoke.networks = {{0.35, 96, 1, true, false}, {0.35, 64, 4, false, true}};

    Profile quick;
    quick.info = {"quick", 10, 2, 10, 2, 10};
    quick.oversubscribe_limit_s = 5e-3;
    quick.layouts = {"nhwc", "blocked"};
    quick.types = {"f32_f32_strict"};
    quick.sum_elements = {1 << 16, 1 << 20, 1 << 24};
    quick.scatter = {{1 << 18, 1 << 4}, {1 << 18, 1 << 14}};
    quick.networks = {{0.35, 96, 8, true, true}};

    Profile standard;
    standard.info = {"standard", 100, 5, 100, 3, 20};
    standard.layouts = {"nhwc", "blocked"};
    standard.types = {"f32_f32_strict", "bf16_f32_strict"};
    standard.sum_elements = {1 << 16, 1 << 20, 1 << 24, 1 << 26};
    standard.scatter = {{1 << 20, 1 << 4}, {1 << 20, 1 << 10}, {1 << 20, 1 << 16}};
    standard.networks = {{1.0, 224, 8, true, true}, {1.0, 224, 32, true, true}};

    Profile full = standard;
    full.info = {"full", 300, 20, 300, 4, 30};
    full.layouts = {"nhwc", "nchw", "blocked"};
    full.sum_elements = {1 << 10, 1 << 16, 1 << 20, 1 << 24, 1 << 26, 1 << 28};
    full.scatter = {{1 << 20, 1 << 2}, {1 << 20, 1 << 4}, {1 << 20, 1 << 10}, {1 << 20, 1 << 16}, {1 << 22, 1 << 20}};
    full.networks = {{0.35, 96, 8, true, true}, {0.35, 224, 8, true, true}, {1.0, 96, 8, true, true},
                     {1.0, 224, 8, true, true}, {1.0, 224, 32, true, true}, {1.4, 224, 8, true, true}};
    return std::vector<Profile>{smoke, quick, standard, full};
  }();
  return all;
}

}  // namespace

std::optional<Profile> find_profile(std::string_view name) {
  for (const auto& profile : profiles())
    if (profile.info.name == name) return profile;
  return std::nullopt;
}

std::string profile_names() {
  std::string names;
  for (const auto& profile : profiles()) names += (names.empty() ? "" : ", ") + profile.info.name;
  return names;
}

}  // namespace detbench
