// cuDNN's functions, taken from the library that was found when the program runs. Only files that are built with cuDNN's
// headers include this; `version.hpp` is the plain face of it.
#pragma once

#include <cudnn.h>

#include <filesystem>
#include <string>

#include "kernels/result.hpp"

/// Every function of cuDNN that this program calls, a line each. A new one is added here and nowhere else.
#define DETBENCH_CUDNN_FUNCTIONS(X)                                                                                      \
  /* library */                                                                                                          \
  X(cudnnGetVersion) X(cudnnGetCudartVersion) X(cudnnGetErrorString) X(cudnnGetLastErrorString)                          \
  X(cudnnCreate) X(cudnnDestroy) X(cudnnSetStream)                                                                       \
  /* graph API */                                                                                                        \
  X(cudnnBackendCreateDescriptor) X(cudnnBackendDestroyDescriptor) X(cudnnBackendSetAttribute)                           \
  X(cudnnBackendGetAttribute) X(cudnnBackendFinalize) X(cudnnBackendExecute)                                             \
  /* descriptors of the legacy API */                                                                                    \
  X(cudnnCreateTensorDescriptor) X(cudnnDestroyTensorDescriptor) X(cudnnSetTensor4dDescriptorEx)                         \
  X(cudnnSetTensorNdDescriptor) X(cudnnCreateFilterDescriptor) X(cudnnDestroyFilterDescriptor)                           \
  X(cudnnSetFilter4dDescriptor)                                                                                          \
  /* legacy convolution */                                                                                               \
  X(cudnnSetTensor4dDescriptor) X(cudnnCreateConvolutionDescriptor) X(cudnnDestroyConvolutionDescriptor)                 \
  X(cudnnSetConvolution2dDescriptor) X(cudnnSetConvolutionGroupCount) X(cudnnSetConvolutionMathType)                     \
  X(cudnnGetConvolution2dForwardOutputDim)                                                                               \
  X(cudnnGetConvolutionForwardAlgorithmMaxCount) X(cudnnGetConvolutionForwardAlgorithm_v7)                               \
  X(cudnnFindConvolutionForwardAlgorithmEx) X(cudnnGetConvolutionForwardWorkspaceSize) X(cudnnConvolutionForward)        \
  X(cudnnGetConvolutionBackwardDataAlgorithmMaxCount) X(cudnnGetConvolutionBackwardDataAlgorithm_v7)                     \
  X(cudnnFindConvolutionBackwardDataAlgorithmEx) X(cudnnGetConvolutionBackwardDataWorkspaceSize)                         \
  X(cudnnConvolutionBackwardData)                                                                                        \
  X(cudnnGetConvolutionBackwardFilterAlgorithmMaxCount) X(cudnnGetConvolutionBackwardFilterAlgorithm_v7)                 \
  X(cudnnFindConvolutionBackwardFilterAlgorithmEx) X(cudnnGetConvolutionBackwardFilterWorkspaceSize)                     \
  X(cudnnConvolutionBackwardFilter)                                                                                      \
  /* small operations of the legacy API: pooling, activation, softmax, dropout */                                        \
  X(cudnnCreatePoolingDescriptor) X(cudnnDestroyPoolingDescriptor) X(cudnnSetPooling2dDescriptor)                        \
  X(cudnnPoolingForward) X(cudnnPoolingBackward)                                                                         \
  X(cudnnCreateActivationDescriptor) X(cudnnDestroyActivationDescriptor) X(cudnnSetActivationDescriptor)                 \
  X(cudnnSetActivationDescriptorSwishBeta) X(cudnnActivationForward) X(cudnnActivationBackward)                          \
  X(cudnnSoftmaxForward) X(cudnnSoftmaxBackward)                                                                         \
  X(cudnnCreateDropoutDescriptor) X(cudnnDestroyDropoutDescriptor) X(cudnnDropoutGetStatesSize)                          \
  X(cudnnDropoutGetReserveSpaceSize) X(cudnnSetDropoutDescriptor) X(cudnnDropoutForward) X(cudnnDropoutBackward)        \
  /* legacy reductions and batch normalization */                                                                       \
  X(cudnnConvolutionBackwardBias) X(cudnnCreateReduceTensorDescriptor) X(cudnnDestroyReduceTensorDescriptor)            \
  X(cudnnSetReduceTensorDescriptor) X(cudnnGetReductionWorkspaceSize) X(cudnnReduceTensor) X(cudnnQueryRuntimeError)    \
  X(cudnnDeriveBNTensorDescriptor) X(cudnnBatchNormalizationForwardTraining) X(cudnnBatchNormalizationBackward)         \
  X(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize) X(cudnnGetBatchNormalizationBackwardExWorkspaceSize)      \
  X(cudnnGetBatchNormalizationTrainingExReserveSpaceSize) X(cudnnBatchNormalizationForwardTrainingEx)                   \
  X(cudnnBatchNormalizationBackwardEx) X(cudnnBatchNormalizationForwardInference)                                       \
  X(cudnnDeriveNormTensorDescriptor) X(cudnnGetNormalizationForwardTrainingWorkspaceSize)                               \
  X(cudnnGetNormalizationBackwardWorkspaceSize) X(cudnnGetNormalizationTrainingReserveSpaceSize)                        \
  X(cudnnNormalizationForwardTraining) X(cudnnNormalizationBackward)

namespace detbench::cudnn {

struct Library {
#define DETBENCH_DECLARE(name) decltype(&::name) name = nullptr;
  DETBENCH_CUDNN_FUNCTIONS(DETBENCH_DECLARE)
#undef DETBENCH_DECLARE
  std::filesystem::path path;
  std::size_t version = 0;          ///< of the library that was loaded, like 91900; CUDNN_VERSION is the headers'
};

/// Loaded at the first call, with every function resolved; later calls give the same answer. The search order is that of
/// kernels/device/dynamic_library.hpp with DETBENCH_CUDNN_DIR. Thread-safe.
Result<const Library*> library();
/// The same for work on a GPU: refuses a library that is made for another major version of CUDA than this program. Asking what
/// cuDNN would do needs no GPU, and there such a library may answer.
Result<const Library*> library_for_gpu();

/// "cudnnBackendFinalize: CUDNN_STATUS_NOT_SUPPORTED (3000): <what the library's last error says>".
Reason cudnn_reason(const Library& library, cudnnStatus_t status, const char* call);

}  // namespace detbench::cudnn

/// Leaves the function, which returns a Status or a Result, with the reason when the call failed; `library` is in scope
/// as a `const Library&`: DETBENCH_CUDNN_TRY(library, cudnnSetStream(handle, stream)).
#define DETBENCH_CUDNN_TRY(library, call)                                                                   \
  do {                                                                                                      \
    if (const cudnnStatus_t status_ = (library).call; status_ != CUDNN_STATUS_SUCCESS)                      \
      return tl::unexpected<::detbench::Reason>(::detbench::cudnn::cudnn_reason(library, status_, #call));  \
  } while (false)
