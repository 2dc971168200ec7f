// The bits that every CPU, thread count, instruction set and GPU has to give.
#pragma once

namespace detbench::testing {

/// train_step_mobilenet_v2/alpha0.35_px96_mb8_classes1000/f32_f32_strict/nhwc/network:fixed_order@steps=3, seed 1: digest
/// version 1 of losses, weights, slots and moving statistics.
inline constexpr const char* committed_digest = "5f306463b2ea818d26753f6bef1a604e";

}  // namespace detbench::testing
