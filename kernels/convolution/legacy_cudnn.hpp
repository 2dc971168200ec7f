// Provider `cudnn_legacy`: cuDNN's convolutions by algorithm and math type, as frameworks called them for ten years.
#pragma once

#include <memory>

#include "kernels/op.hpp"
#include "kernels/search.hpp"

namespace detbench {

/// Every algorithm of the direction with every math type (legacy_cudnn_table.hpp has the names), in nhwc and nchw, then
/// the picks of get_v7 and find_ex. Whether an arm exists is the answer of the library's workspace query, whose status is
/// the reason when it does not; one that wants more than the search's workspace cap is offered as unsupported with the size.
/// Unequal pads: "pad+..." arms where zeros have to be added by hand (pad.hpp), timed with the convolution.
/// Offers carry the note perf_struct_determinism, plans of picks what was selected and what the machine was like.
std::unique_ptr<Provider> make_cudnn_legacy_convolution(const AlgorithmSearch& search = {});

}  // namespace detbench
