// What the frameworks take per op on a GPU, as ordered lists of arms; the first that works is the rule. Which works is asked of
// the providers (models/policies.cpp).
#pragma once

#include <string>
#include <vector>

#include "kernels/op.hpp"

namespace detbench {

/// An arm to try: all of a provider's algorithms in its own order, or one by name.
struct Wish {
  Algorithm algorithm;        ///< without a name: whatever the provider offers first
  /// The pick has to claim run_to_run or more: what the frameworks take for "deterministic" is the vendor's word alone.
  bool claimed = false;
};

/// PyTorch with deterministic = True and benchmark = False on its legacy path (Conv_v7.cpp): one pinned algorithm per direction.
/// Other ops: the library's first algorithm that claims run_to_run.
std::vector<Wish> pytorch_wishes(const Problem& problem);
/// TensorFlow from 2.8 on with determinism required (stream_executor's cuDNN wrapper): its lists in their order, tensor-op math
/// before plain math. FFT_TILING and WINOGRAD_NONFUSED are enabled by default from cuDNN 7 on. FFT_TILING for filters is left out: wrong
/// results for some shapes.
std::vector<Wish> tensorflow_wishes(const Problem& problem);
/// TF_CUDNN_DETERMINISTIC: as TensorFlow for convolution and max-pool, atomic where its kernels were (the gradient of a bias),
/// and whatever the libraries offer first elsewhere.
std::vector<Wish> tf_cudnn_wishes(const Problem& problem);
/// What cuDNN's and cuBLAS's heuristics propose first.
std::vector<Wish> gpu_library_wishes(const Problem& problem);

/// "convolution" and "max_pool" are what TF_CUDNN_DETERMINISTIC speaks about.
bool is_convolution_op(const std::string& op);
bool is_max_pool_op(const std::string& op);

}  // namespace detbench
