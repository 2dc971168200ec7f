// Asks a policy file which engine and knobs it has for one layer. Build it with nothing but the header and nlohmann/json:
//   g++ -std=c++17 which_engine.cpp -o which_engine
//   ./which_engine POLICY.json conv_wgrad mb32_g96_ic96_ih56_iw56_oc96_kh3_kw3_sh1_sw1_pt1_pb1_pl1_pr1_dh1_dw1 f32_f32_strict
#include <iostream>

#include "detbench_policy.hpp"

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "which_engine: it should read which_engine POLICY.json OP SHAPE TYPES\n";
    return 2;
  }
  std::string error;
  const auto policy = detbench_policy::Policy::read(argv[1], error);
  if (!policy) {
    std::cerr << "which_engine: " << error << "\n";
    return 2;
  }
  std::cout << "policy " << policy->name() << ", demand " << policy->demand() << ", activations in " << policy->activation_layout() << "\n";
  for (const auto& [what, version] : policy->target()) std::cout << "measured with " << what << " " << version << "\n";
  const auto* rule = policy->find(argv[2], argv[3], argv[4]);
  if (rule == nullptr) {
    std::cout << "the file says nothing about this layer: take what the library's heuristics propose\n";
    return 0;
  }
  std::cout << "layout " << rule->layout << ", " << rule->provider << ":" << rule->algorithm << "\n";
  if (const auto engine = rule->cudnn_engine()) {
    std::cout << "engine " << engine->index << "\n";
    for (const auto& [knob, value] : engine->knobs) std::cout << "knob CUDNN_KNOB_TYPE_" << knob << " = " << value << "\n";
  } else if (const auto legacy = rule->cudnn_legacy()) {
    std::cout << "legacy algorithm " << legacy->algorithm << ", math " << legacy->math << (legacy->pad_by_hand ? ", zeros added by hand" : "") << "\n";
  }
  return 0;
}
