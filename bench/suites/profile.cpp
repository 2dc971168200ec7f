#include "bench/suites/profile.hpp"

#include <algorithm>

#include "models/catalog.hpp"

namespace detbench {
namespace {

constexpr const char *narrow = "mobilenet_v2_alpha0.35", *plain = "mobilenet_v2_alpha1.0", *wide = "mobilenet_v2_alpha1.4", *b0 = "efficientnet_b0";

/// Models that are not there yet, at the size they were published with. They train, under what is chosen without measuring
/// their layers: those are the others' at other sizes, and there are thousands.
void add_every_model(std::vector<NetworkSetting>& networks, int batch) {
  for (const auto& model : models()) {
    const bool known = std::any_of(networks.begin(), networks.end(), [&](const NetworkSetting& n) { return n.model == model.name; });
    if (!known) networks.push_back({model.name, static_cast<int>(model.pixels), batch, false, true});
  }
}

const std::vector<Profile>& cpu_profiles() {
  static const std::vector<Profile> all = [] {
    Profile smoke;
    smoke.info = {"smoke", 5, 1, 5, 2, 5, ""};
    smoke.oversubscribe_limit_s = 5e-3;
    smoke.few_layers = true;
    smoke.layouts = {"nhwc"};
    smoke.types = {"f32_f32_strict"};
    smoke.networks = {{narrow, 96, 1, true, false}, {narrow, 64, 4, false, true}};

    Profile quick;
    quick.info = {"quick", 10, 2, 10, 2, 10, ""};
    quick.reductions = ReductionSweep::quick;
    quick.oversubscribe_limit_s = 5e-3;
    quick.layouts = {"nhwc", "blocked"};
    quick.others = Breadth::few;
    quick.most_batches = 1;
    quick.batches_of_blocked = false;
    quick.types = {"f32_f32_strict"};
    quick.networks = {{narrow, 96, 8, true, true}};
    quick.inference_batches = {8};

    Profile standard;
    standard.info = {"standard", 100, 5, 100, 3, 20, ""};
    standard.reductions = ReductionSweep::standard;
    standard.layouts = {"nhwc", "blocked"};
    standard.others = Breadth::all;
    standard.types = {"f32_f32_strict", "bf16_f32_strict"};
    standard.networks = {{plain, 224, 8, true, true}, {plain, 224, 32, true, true}, {b0, 224, 8, true, true}, {b0, 224, 32, true, true}};
    standard.inference_batches = {1, 8, 32, 128};

    Profile full = standard;
    full.info = {"full", 300, 20, 300, 4, 30, ""};
    full.reductions = ReductionSweep::full;
    full.layouts = {"nhwc", "nchw", "blocked"};
    full.networks = {{narrow, 96, 8, true, true}, {narrow, 224, 8, true, true}, {plain, 96, 8, true, true}, {plain, 96, 32, true, true},
                     {plain, 224, 8, true, true}, {plain, 224, 32, true, true}, {wide, 224, 8, true, true},  {b0, 96, 8, true, true},
                     {b0, 96, 32, true, true},    {b0, 224, 8, true, true},     {b0, 224, 32, true, true},   {"efficientnet_lite0", 224, 8, true, true},
                     {"small_cnn", 28, 32, true, true}, {"small_dense", 1, 32, true, true}};
    add_every_model(full.networks, 8);
    full.network_types = {"f32_f32_strict", "bf16_f32_strict"};
    return std::vector<Profile>{smoke, quick, standard, full};
  }();
  return all;
}

/// The same n and blocks. Layers at the size at which people train, because small ones leave a GPU idle and repeat where
/// large ones do not; the types in the order in which people ask for them.
const std::vector<Profile>& cuda_profiles() {
  static const std::vector<Profile> all = [] {
    std::vector<Profile> profiles = cpu_profiles();
    for (auto& profile : profiles) {
      profile.backend = "cuda";
      profile.layouts = {"nhwc"};
      profile.types = {"bf16_f32_strict", "f32_f32_strict"};
      profile.search.tiers = {Tier::t0};
      profile.others = std::max(profile.others, Breadth::few);
      profile.networks = {{plain, 224, 32, true, true}};
      profile.network_types = {"bf16_f32_strict", "f32_f32_strict"};
      if (!profile.inference_batches.empty()) profile.inference_batches = {1, 32};
    }
    enum { smoke, quick, standard, full };
    profiles[smoke].networks = {{plain, 96, 4, true, false}, {narrow, 64, 4, false, true}};
    profiles[standard].search.tiers = {Tier::t0, Tier::t1};
    profiles[full].layouts = {"nhwc", "nchw"};
    profiles[full].types = {"bf16_f32_strict", "f32_f32_strict", "f32_f32_tf32", "f16_f32_strict"};
    profiles[full].search.tiers = {std::begin(all_tiers), std::end(all_tiers)};
    profiles[standard].networks = {{plain, 224, 32, true, true}, {b0, 224, 32, true, true}};
    profiles[full].networks = {{plain, 224, 32, true, true}, {plain, 224, 128, true, true}, {narrow, 96, 8, true, true}, {b0, 224, 32, true, true},
                               {b0, 224, 128, true, true}, {"efficientnet_lite0", 224, 32, true, true}, {"small_cnn", 28, 32, true, true}};
    add_every_model(profiles[full].networks, 32);
    profiles[full].network_types = profiles[full].types;
    profiles[full].inference_batches = {1, 8, 32, 128};
    return profiles;
  }();
  return all;
}

}  // namespace

std::optional<Profile> find_profile(std::string_view name, std::string_view backend) {
  for (const auto* profiles : {&cpu_profiles(), &cuda_profiles()})
    for (const auto& profile : *profiles)
      if (profile.info.name == name && profile.backend == backend) return profile;
  return std::nullopt;
}

Result<Profile> profile_of(std::string_view name, std::string_view backend, std::string_view search) {
  if (backend != "cpu" && backend != "cuda") return invalid_input("'" + std::string(backend) + "' is no backend: cpu and cuda are");
  auto profile = find_profile(name, backend);
  if (!profile) return invalid_input("'" + std::string(name) + "' is no profile: " + profile_names() + " are");
  if (search.empty()) return *profile;
  auto tiers = parse_tiers(search);
  if (!tiers) return tl::unexpected(tiers.error());
  profile->search.tiers = *tiers;
  return *profile;
}

std::string profile_names() {
  std::string names;
  for (const auto& profile : cpu_profiles()) names += (names.empty() ? "" : ", ") + profile.info.name;
  return names;
}

}  // namespace detbench
