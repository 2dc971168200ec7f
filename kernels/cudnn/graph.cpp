#include "kernels/cudnn/graph.hpp"

#include <algorithm>

namespace detbench::cudnn {
namespace {

/// Sets a child where there is one.
void set_if(Descriptor& d, cudnnBackendAttributeName_t name, const Descriptor& child) {
  if (child) d.set(name, child);
}

}  // namespace

cudnnDataType_t data_type(DataType type) {
  switch (type) {
    case DataType::f64: return CUDNN_DATA_DOUBLE;
    case DataType::f16: return CUDNN_DATA_HALF;
    case DataType::bf16: return CUDNN_DATA_BFLOAT16;
    case DataType::i32: return CUDNN_DATA_INT32;
    case DataType::i64: return CUDNN_DATA_INT64;
    case DataType::u8: return CUDNN_DATA_UINT8;
    default: return CUDNN_DATA_FLOAT;
  }
}

GraphTensor activation_tensor(std::int64_t uid, const TensorSpec& spec, std::int64_t alignment_bytes) {
  GraphTensor t{uid, data_type(spec.type), {}, {}, alignment_bytes, false, false};
  const auto& s = spec.shape;
  const auto& l = spec.layout.strides;
  if (s.size() == 4) {
    t.dims = {s[0], s[3], s[1], s[2]};
    t.strides = {l[0], l[3], l[1], l[2]};
  } else {
    const auto c = s.back(), n = element_count(s) / c;
    t.dims = {n, c, 1, 1};
    t.strides = {c, 1, c, c};
  }
  return t;
}

GraphTensor filter_tensor(std::int64_t uid, const TensorSpec& spec, std::int64_t alignment_bytes) {
  const auto& s = spec.shape;
  const auto& l = spec.layout.strides;
  // Groups and their output channels are one dimension K: in every plain filter layout of ours they lie so.
  return {uid, data_type(spec.type), {s[0] * s[1], s[4], s[2], s[3]}, {l[1], l[4], l[2], l[3]}, alignment_bytes, false, false};
}

GraphTensor channel_tensor(std::int64_t uid, cudnnDataType_t type, std::int64_t channels, std::int64_t alignment_bytes) {
  return {uid, type, {1, channels, 1, 1}, {channels, 1, channels, channels}, alignment_bytes, false, false};
}

GraphTensor scalar_tensor(std::int64_t uid, cudnnDataType_t type) { return {uid, type, {1, 1, 1, 1}, {1, 1, 1, 1}, 16, false, true}; }

std::int64_t tensor_alignment(const DeviceConfiguration& configuration, DataType type) {
  const std::size_t element = size_of(type);
  // As buffers are placed: the offset is rounded up to whole elements.
  const std::size_t start = std::max(configuration.alignment_bytes, element), offset = (configuration.offset_bytes + element - 1) / element * element;
  std::size_t alignment = 16;
  while (alignment > element && (start % alignment != 0 || offset % alignment != 0)) alignment /= 2;
  return static_cast<std::int64_t>(alignment);
}

Result<GraphBuilder> GraphBuilder::make() {
  const auto lib = cudnn::library();
  if (!lib) return tl::unexpected(lib.error());
  return GraphBuilder(**lib);
}

void GraphBuilder::finish(Descriptor& descriptor, const char* what) {
  if (failed_) return;
  if (auto s = descriptor.finalize(); !s) failed_ = Reason{std::string(what) + ": " + s.error().text, s.error().kind};
}

Descriptor GraphBuilder::tensor(const GraphTensor& t) {
  auto d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, t.type)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const std::int64_t>(t.dims))
      .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const std::int64_t>(t.strides))
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, t.uid)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, t.alignment_bytes);
  if (t.is_virtual) d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
  if (t.is_by_value) d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true);
  finish(d, "a tensor");
  return d;
}

void GraphBuilder::convolution(const Convolution& c, const Descriptor& x, const Descriptor& w, const Descriptor& y) {
  auto d = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, c.compute)
      .set_enum(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const std::int64_t>(c.pre_paddings))
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const std::int64_t>(c.post_paddings))
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const std::int64_t>(c.strides))
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const std::int64_t>(c.dilations));
  finish(d, "a convolution");
  const double one = 1, zero = 0;  // beta = 0: the output is not read
  switch (c.pass) {
    case ConvolutionPass::forward: {
      auto op = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
      op.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, d)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, one)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, zero);
      return operation(std::move(op));
    }
    case ConvolutionPass::data: {
      auto op = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
      op.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, x)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, w)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, y)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, d)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, one)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, zero);
      return operation(std::move(op));
    }
    case ConvolutionPass::filter: {
      auto op = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR);
      op.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, w)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, y)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, d)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, one)
          .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, zero);
      return operation(std::move(op));
    }
  }
}

Descriptor GraphBuilder::pointwise_descriptor(const Pointwise& p) {
  auto d = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  d.set_enum(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, p.mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, p.compute);
  if (p.relu_lower_clip) d.set(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, *p.relu_lower_clip);
  if (p.relu_upper_clip) d.set(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, *p.relu_upper_clip);
  if (p.swish_beta) d.set(CUDNN_ATTR_POINTWISE_SWISH_BETA, *p.swish_beta);
  finish(d, "a pointwise operation");
  return d;
}

void GraphBuilder::pointwise(const Pointwise& p, const Descriptor& x, const Descriptor& b, const Descriptor& y) {
  auto op = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise_descriptor(p)).set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  set_if(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  operation(std::move(op));
}

void GraphBuilder::pointwise_backward(const Pointwise& p, const Descriptor& x, const Descriptor& dy, const Descriptor& dx) {
  auto op = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, pointwise_descriptor(p))
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, dy)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, dx);
  operation(std::move(op));
}

void GraphBuilder::reduction(const Reduction& r, const Descriptor& x, const Descriptor& y) {
  auto d = make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  d.set_enum(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, r.op).set(CUDNN_ATTR_REDUCTION_COMP_TYPE, r.compute);
  if (r.deterministic) d.set(CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC, *r.deterministic);
  finish(d, "a reduction");
  auto op = make(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x).set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y).set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, d);
  operation(std::move(op));
}

void GraphBuilder::gen_stats(const Descriptor& x, const Descriptor& sum, const Descriptor& square_sum, cudnnDataType_t compute) {
  auto op = make(CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR);
  op.set_enum(CUDNN_ATTR_OPERATION_GENSTATS_MODE, CUDNN_TYPE_GENSTATS_MODE, CUDNN_GENSTATS_SUM_SQSUM)
      .set(CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, compute)
      .set(CUDNN_ATTR_OPERATION_GENSTATS_XDESC, x)
      .set(CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, sum)
      .set(CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, square_sum);
  operation(std::move(op));
}

Descriptor GraphBuilder::resample_descriptor(const Resample& r) {
  auto d = make(CUDNN_BACKEND_RESAMPLE_DESCRIPTOR);
  d.set_enum(CUDNN_ATTR_RESAMPLE_MODE, CUDNN_TYPE_RESAMPLE_MODE, r.mode)
      .set(CUDNN_ATTR_RESAMPLE_COMP_TYPE, r.compute)
      .set_enum(CUDNN_ATTR_RESAMPLE_PADDING_MODE, CUDNN_TYPE_PADDING_MODE, r.padding)
      .set(CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, static_cast<std::int64_t>(std::max(r.window.size(), r.fraction_window.size())));
  if (r.propagate_nan)
    d.set_enum(CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, *r.propagate_nan ? CUDNN_PROPAGATE_NAN : CUDNN_NOT_PROPAGATE_NAN);
  const auto list = [&](cudnnBackendAttributeName_t name, const std::vector<std::int64_t>& integers, const std::vector<cudnnFraction_t>& fractions) {
    if (!fractions.empty())
      d.set_raw(name, CUDNN_TYPE_FRACTION, static_cast<std::int64_t>(fractions.size()), fractions.data());
    else
      d.set(name, std::span<const std::int64_t>(integers));
  };
  list(CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, r.window, r.fraction_window);
  list(CUDNN_ATTR_RESAMPLE_STRIDES, r.strides, r.fraction_strides);
  list(CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, r.pre_paddings, r.fraction_pre_paddings);
  list(CUDNN_ATTR_RESAMPLE_POST_PADDINGS, r.post_paddings, r.fraction_post_paddings);
  finish(d, "a resampling");
  return d;
}

void GraphBuilder::resample_forward(const Resample& r, const Descriptor& x, const Descriptor& y, const Descriptor& index) {
  auto op = make(CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, x).set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, y);
  set_if(op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC, index);
  op.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, resample_descriptor(r));
  operation(std::move(op));
}

void GraphBuilder::resample_backward(const Resample& r, const Descriptor& dy, const Descriptor& dx, const Descriptor& index,
                                     const Descriptor& x, const Descriptor& y) {
  auto op = make(CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC, dy).set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC, dx);
  set_if(op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC, index);
  set_if(op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_XDESC, x);
  set_if(op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_YDESC, y);
  op.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC, resample_descriptor(r));
  operation(std::move(op));
}

void GraphBuilder::norm_forward(const NormForward& n) {
  auto op = make(CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR);
  op.set_enum(CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, n.mode)
      .set_enum(CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, n.phase);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, n.x);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, n.mean);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, n.inv_variance);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, n.scale);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, n.bias);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, n.epsilon);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_EXP_AVG_FACTOR_DESC, n.momentum);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_MEAN_DESC, n.running_mean_in);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_INPUT_RUNNING_VAR_DESC, n.running_var_in);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_MEAN_DESC, n.running_mean_out);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_VAR_DESC, n.running_var_out);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, n.y);
  operation(std::move(op));
}

void GraphBuilder::norm_backward(const NormBackward& n) {
  auto op = make(CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR);
  op.set_enum(CUDNN_ATTR_OPERATION_NORM_BWD_MODE, CUDNN_TYPE_NORM_MODE, n.mode);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_XDESC, n.x);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_MEAN_DESC, n.mean);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_INV_VARIANCE_DESC, n.inv_variance);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_DYDESC, n.dy);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_SCALE_DESC, n.scale);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_EPSILON_DESC, n.epsilon);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC, n.dscale);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC, n.dbias);
  set_if(op, CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, n.dx);
  operation(std::move(op));
}

void GraphBuilder::matmul(const Descriptor& a, const Descriptor& b, const Descriptor& c, cudnnDataType_t compute) {
  auto d = make(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  d.set(CUDNN_ATTR_MATMUL_COMP_TYPE, compute);
  finish(d, "a matrix product");
  auto op = make(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  op.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a)
      .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b)
      .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c)
      .set(CUDNN_ATTR_OPERATION_MATMUL_DESC, d);
  operation(std::move(op));
}

void GraphBuilder::operation(Descriptor op) {
  finish(op, "an operation");
  operations_.push_back(std::move(op));
}

Result<OperationGraph> GraphBuilder::build() {
  if (failed_) return tl::unexpected(*failed_);
  OperationGraph graph;
  graph.descriptor_ = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.descriptor_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, std::span<const Descriptor>(operations_));
  finish(graph.descriptor_, "the operation graph");
  if (failed_) return tl::unexpected(*failed_);
  const auto count = graph.descriptor_.get_int64(CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT);
  if (!count) return tl::unexpected(count.error());
  graph.engine_count_ = *count;
  return graph;
}

}  // namespace detbench::cudnn
