// Softmax cross-entropy from logits, the mean over the batch, with its gradient (Keras 3.16.0 on TensorFlow recovers the
// logits and uses this fused form).
//   softmax_cross_entropy  logits (N,K) f32, labels (N) i32 -> loss (1), diff_logits (N,K)
//   loss = mean over n of log(sum_j exp(x_j - max)) - (x_label - max);  diff = (softmax - onehot) / N
// With label smoothing s the target is t = onehot (1 - s) + s / K in place of onehot:
//   loss = mean over n of sum_j t_j (log(sum exp) - (x_j - max));  diff = (softmax - t) / N
// Shape "mb8_k1000" or, smoothed, "mb8_k1000_ls0.1" with 0 <= s < 1; types f32_f32_strict, layout "plain". A label outside [0, K) counts as no class: its row's loss is
// NaN, as TensorFlow's is on a GPU, and no memory outside the row is touched.
#pragma once

#include <memory>

#include "kernels/op.hpp"

namespace detbench {

std::unique_ptr<Operation> make_softmax_cross_entropy_operation();
Problem softmax_cross_entropy_problem(std::int64_t batch, std::int64_t classes, double label_smoothing = 0);

}  // namespace detbench
