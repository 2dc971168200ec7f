#include "kernels/convolution/legacy_calls_cudnn.hpp"

#include <algorithm>

namespace detbench::legacy {
namespace {

Result<cudnnDataType_t> data_type(DataType type) {
  switch (type) {
    case DataType::f32: return CUDNN_DATA_FLOAT;
    case DataType::f16: return CUDNN_DATA_HALF;
    case DataType::bf16: return CUDNN_DATA_BFLOAT16;
    default: return unsupported("cuDNN convolves no " + std::string(to_text(type)));
  }
}

const float one = 1, zero = 0;  // the type of the scaling factors is float for all of these data types

}  // namespace

Calls::Calls(const cudnn::Library& library, Direction direction)
    : library_(&library),
      direction_(direction),
      src_(library.cudnnDestroyTensorDescriptor),
      dst_(library.cudnnDestroyTensorDescriptor),
      weights_(library.cudnnDestroyFilterDescriptor),
      convolution_(library.cudnnDestroyConvolutionDescriptor) {}

Result<Calls> Calls::make(const cudnn::Library& library, const ConvolutionProblem& p, bool half_compute) {
  if (p.pt != p.pb || p.pl != p.pr) return invalid_input("the legacy API pads both sides by the same amount");
  if (p.layout != "nhwc" && p.layout != "nchw") return unsupported("cuDNN has no layout '" + p.layout + "'; nhwc and nchw are its own");
  const auto tensors = tensors_of(p);
  const auto type_of = [&](const char* role) {
    for (const auto* list : {&tensors.inputs, &tensors.outputs})
      for (const auto& spec : *list)
        if (spec.role.ends_with(role)) return spec.type;  // "src" is "diff_src" in a gradient
    return p.types.storage;
  };
  const auto src = data_type(type_of("src")), weights = data_type(type_of("weights")), dst = data_type(type_of("dst"));
  for (const auto* type : {&src, &weights, &dst})
    if (!*type) return tl::unexpected(type->error());

  Calls calls(library, p.direction);
  DETBENCH_CUDNN_TRY(library, cudnnCreateTensorDescriptor(calls.src_.slot()));
  DETBENCH_CUDNN_TRY(library, cudnnCreateTensorDescriptor(calls.dst_.slot()));
  DETBENCH_CUDNN_TRY(library, cudnnCreateFilterDescriptor(calls.weights_.slot()));
  DETBENCH_CUDNN_TRY(library, cudnnCreateConvolutionDescriptor(calls.convolution_.slot()));
  const auto format = p.layout == "nhwc" ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
  // Every size of a problem that parses is at most 2^20 plus pads.
  const auto n = [](std::int64_t size) { return static_cast<int>(size); };
  DETBENCH_CUDNN_TRY(library, cudnnSetTensor4dDescriptor(calls.src_, format, *src, n(p.mb), n(p.ic), n(p.ih), n(p.iw)));
  // Sizes are K, C, R, S whatever the format; C counts the channels of one group.
  DETBENCH_CUDNN_TRY(library, cudnnSetFilter4dDescriptor(calls.weights_, *weights, format, n(p.oc), n(p.icg()), n(p.kh), n(p.kw)));
  DETBENCH_CUDNN_TRY(library, cudnnSetConvolution2dDescriptor(calls.convolution_, n(p.pt), n(p.pl), n(p.sh), n(p.sw), n(p.dh), n(p.dw),
                                                              CUDNN_CROSS_CORRELATION, half_compute ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT));
  DETBENCH_CUDNN_TRY(library, cudnnSetConvolutionGroupCount(calls.convolution_, n(p.g)));
  int batch = 0, channels = 0, rows = 0, columns = 0;
  DETBENCH_CUDNN_TRY(library, cudnnGetConvolution2dForwardOutputDim(calls.convolution_, calls.src_, calls.weights_, &batch, &channels, &rows, &columns));
  if (batch != p.mb || channels != p.oc || rows != p.oh() || columns != p.ow())
    return failure("cuDNN counts an output of " + std::to_string(batch) + "x" + std::to_string(channels) + "x" + std::to_string(rows) + "x" +
                   std::to_string(columns) + " (n, c, h, w) for " + problem_id(to_problem(p)));
  DETBENCH_CUDNN_TRY(library, cudnnSetTensor4dDescriptor(calls.dst_, format, *dst, batch, channels, rows, columns));
  return calls;
}

Status Calls::set_math(Math math) {
  DETBENCH_CUDNN_TRY(*library_, cudnnSetConvolutionMathType(convolution_, static_cast<cudnnMathType_t>(math)));
  return {};
}

Result<std::size_t> Calls::workspace_bytes(cudnnHandle_t handle, int algorithm) const {
  const auto& l = *library_;
  std::size_t bytes = 0;
  cudnnStatus_t status;
  const char* call;
  switch (direction_) {
    case Direction::dgrad:
      call = "cudnnGetConvolutionBackwardDataWorkspaceSize";
      status = l.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, weights_, dst_, convolution_, src_,
                                                              static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm), &bytes);
      break;
    case Direction::wgrad:
      call = "cudnnGetConvolutionBackwardFilterWorkspaceSize";
      status = l.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, src_, dst_, convolution_, weights_,
                                                                static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm), &bytes);
      break;
    default:
      call = "cudnnGetConvolutionForwardWorkspaceSize";
      status = l.cudnnGetConvolutionForwardWorkspaceSize(handle, src_, weights_, convolution_, dst_,
                                                         static_cast<cudnnConvolutionFwdAlgo_t>(algorithm), &bytes);
      break;
  }
  if (status == CUDNN_STATUS_SUCCESS) return bytes;
  auto reason = cudnn::cudnn_reason(l, status, call);
  // Whether it is BAD_PARAM or NOT_SUPPORTED that refuses a combination differs between algorithms.
  if (reason.kind == Reason::Kind::failed && status / 1000 == 2) reason.kind = Reason::Kind::unsupported;
  return tl::unexpected(std::move(reason));
}

Status Calls::run(cudnnHandle_t handle, int algorithm, const void* first, const void* second, void* out, Region workspace) const {
  switch (direction_) {
    case Direction::dgrad:
      DETBENCH_CUDNN_TRY(*library_, cudnnConvolutionBackwardData(handle, &one, weights_, second, dst_, first, convolution_,
                                                                 static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm),
                                                                 workspace.data, workspace.bytes, &zero, src_, out));
      return {};
    case Direction::wgrad:
      DETBENCH_CUDNN_TRY(*library_, cudnnConvolutionBackwardFilter(handle, &one, src_, first, dst_, second, convolution_,
                                                                   static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm),
                                                                   workspace.data, workspace.bytes, &zero, weights_, out));
      return {};
    default:
      DETBENCH_CUDNN_TRY(*library_, cudnnConvolutionForward(handle, &one, src_, first, weights_, second, convolution_,
                                                            static_cast<cudnnConvolutionFwdAlgo_t>(algorithm),
                                                            workspace.data, workspace.bytes, &zero, dst_, out));
      return {};
  }
}

template <class Row, class MaxCount, class Ask>
Result<std::vector<PerfRow>> Calls::rows(MaxCount max_count, cudnnHandle_t handle, const char* what, Ask&& ask) const {
  int most = 0, count = 0;
  if (const auto status = max_count(handle, &most); status != CUDNN_STATUS_SUCCESS)
    return tl::unexpected(cudnn::cudnn_reason(*library_, status, "cudnnGetConvolution...AlgorithmMaxCount"));
  std::vector<Row> found(static_cast<std::size_t>(std::max(most, 1)));
  if (const auto status = ask(static_cast<int>(found.size()), &count, found.data()); status != CUDNN_STATUS_SUCCESS)
    return tl::unexpected(cudnn::cudnn_reason(*library_, status, what));
  std::vector<PerfRow> rows;
  for (int i = 0; i < std::min(count, static_cast<int>(found.size())); ++i) {
    const auto& row = found[static_cast<std::size_t>(i)];
    // Milliseconds, and -1 where nothing was measured.
    const double time_s = row.time < 0 ? -1.0 : static_cast<double>(row.time) * 1e-3;
    rows.push_back({static_cast<int>(row.algo), row.status == CUDNN_STATUS_SUCCESS, time_s, row.memory,
                    row.determinism == CUDNN_DETERMINISTIC, static_cast<int>(row.mathType)});
  }
  return rows;
}

Result<std::vector<PerfRow>> Calls::get_v7(cudnnHandle_t handle) const {
  const auto& l = *library_;
  switch (direction_) {
    case Direction::dgrad:
      return rows<cudnnConvolutionBwdDataAlgoPerf_t>(
          l.cudnnGetConvolutionBackwardDataAlgorithmMaxCount, handle, "cudnnGetConvolutionBackwardDataAlgorithm_v7",
          [&](int most, int* count, auto* found) {
            return l.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, weights_, dst_, convolution_, src_, most, count, found);
          });
    case Direction::wgrad:
      return rows<cudnnConvolutionBwdFilterAlgoPerf_t>(
          l.cudnnGetConvolutionBackwardFilterAlgorithmMaxCount, handle, "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
          [&](int most, int* count, auto* found) {
            return l.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, src_, dst_, convolution_, weights_, most, count, found);
          });
    default:
      return rows<cudnnConvolutionFwdAlgoPerf_t>(
          l.cudnnGetConvolutionForwardAlgorithmMaxCount, handle, "cudnnGetConvolutionForwardAlgorithm_v7",
          [&](int most, int* count, auto* found) {
            return l.cudnnGetConvolutionForwardAlgorithm_v7(handle, src_, weights_, convolution_, dst_, most, count, found);
          });
  }
}

Result<std::vector<PerfRow>> Calls::find_ex(cudnnHandle_t handle, const void* first, const void* second, void* out, Region workspace) const {
  const auto& l = *library_;
  switch (direction_) {
    case Direction::dgrad:
      return rows<cudnnConvolutionBwdDataAlgoPerf_t>(
          l.cudnnGetConvolutionBackwardDataAlgorithmMaxCount, handle, "cudnnFindConvolutionBackwardDataAlgorithmEx",
          [&](int most, int* count, auto* found) {
            return l.cudnnFindConvolutionBackwardDataAlgorithmEx(handle, weights_, second, dst_, first, convolution_, src_, out, most,
                                                                 count, found, workspace.data, workspace.bytes);
          });
    case Direction::wgrad:
      return rows<cudnnConvolutionBwdFilterAlgoPerf_t>(
          l.cudnnGetConvolutionBackwardFilterAlgorithmMaxCount, handle, "cudnnFindConvolutionBackwardFilterAlgorithmEx",
          [&](int most, int* count, auto* found) {
            return l.cudnnFindConvolutionBackwardFilterAlgorithmEx(handle, src_, first, dst_, second, convolution_, weights_, out, most,
                                                                   count, found, workspace.data, workspace.bytes);
          });
    default:
      return rows<cudnnConvolutionFwdAlgoPerf_t>(
          l.cudnnGetConvolutionForwardAlgorithmMaxCount, handle, "cudnnFindConvolutionForwardAlgorithmEx",
          [&](int most, int* count, auto* found) {
            return l.cudnnFindConvolutionForwardAlgorithmEx(handle, src_, first, weights_, second, convolution_, dst_, out, most, count,
                                                            found, workspace.data, workspace.bytes);
          });
  }
}

}  // namespace detbench::legacy
