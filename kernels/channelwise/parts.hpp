// Who answers the channel-wise operations.
#pragma once

#include "kernels/channelwise/channelwise.hpp"
#include "kernels/stored_operation.hpp"

namespace detbench::channelwise {

/// What the loops are compiled for; the widest there is, or the one that a test asks for.
enum class InstructionSet { baseline, avx2, avx512 };
InstructionSet best_instruction_set();
/// fixed_order on a CPU; unsupported where the machine lacks the instruction set.
Result<SimplePlanParts> fixed_order_parts(const Problem& problem, InstructionSet set);

/// fixed_order on a GPU; empty where the build has no CUDA.
MakeParts cuda_fixed_order();
/// The chunks of scale_channels_bwd meet in atomics.
std::unique_ptr<Provider> make_cuda_provider();
/// The same on a CPU, for scale_channels_bwd.
std::unique_ptr<Provider> make_openmp_provider();
/// The library's binary multiplication and addition.
std::unique_ptr<Provider> make_onednn_provider();

}  // namespace detbench::channelwise
