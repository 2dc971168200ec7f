// A convolution with unequal pads answered by one with equal pads on a copy with zeros around it (pad.hpp).
#pragma once

#include <memory>

#include "kernels/convolution/pad.hpp"
#include "kernels/op.hpp"

namespace detbench {

/// `inner` answers form.problem on tensors in the layouts of tensors_of(). The result answers `asked`: its workspace holds the
/// padded image in front of the inner plan's, and enqueue() pads before a forward pass or a weight gradient and crops after a
/// gradient of the input. Its notes are the inner plan's and "padded".
std::unique_ptr<Plan> make_padded_plan(const ConvolutionProblem& asked, const SymmetricForm& form, std::unique_ptr<Plan> inner);

}  // namespace detbench
