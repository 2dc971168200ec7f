#include "bench/policy/framework_switches.hpp"

#include <algorithm>

namespace detbench {
namespace {

/// What the switches depend on.
struct Summary {
  bool gpu = false, f32 = false, tf32 = false, pinned = true, any_convolution = false, own_kernels = false;
  bool repeats = false;    ///< the demand is run_to_run or more
  bool more = false;       ///< partition or batch
  std::string demand, threads;
};

Summary summarize(const Selection& selection) {
  Summary s;
  s.demand = selection.demand;
  s.repeats = selection.demand != "none";
  s.more = selection.demand == "partition" || selection.demand == "batch";
  if (const auto threads = selection.target.find("threads"); threads != selection.target.end()) s.threads = threads->second;
  if (const auto backend = selection.target.find("backend"); backend != selection.target.end()) s.gpu = backend->second == "cuda";
  const auto look = [&](const std::string& op, const std::string& types, const Algorithm& algorithm) {
    const auto& provider = algorithm.provider;
    s.gpu |= provider.starts_with("cudnn") || provider.starts_with("cublas") || provider == "cuda";
    s.tf32 |= types.ends_with("_tf32");
    s.f32 |= types.starts_with("f32_f32_strict");
    s.own_kernels |= provider == "fixed_order" || provider == "cuda" || provider == "openmp";
    if (op != "conv_fwd" && op != "conv_dgrad" && op != "conv_wgrad") return;
    s.any_convolution = true;
    // What PyTorch pins on its legacy path when deterministic is True and benchmark False.
    s.pinned &= provider == "cudnn_legacy" && algorithm.name == (op == "conv_fwd" ? "implicit_precomp_gemm" : "algo_1");
  };
  for (const auto& [key, rule] : selection.all_rules()) look(std::get<0>(key), std::get<2>(key), rule.algorithm);
  for (const auto& [op, rule] : selection.defaults()) look(op, "", rule.algorithm);
  s.pinned &= s.any_convolution;
  return s;
}

FrameworkSwitches pytorch(const Summary& s) {
  FrameworkSwitches out{"pytorch", s.pinned, {}, {"import torch"}, {}};
  if (s.gpu) {
    if (s.pinned) out.environment.push_back("TORCH_CUDNN_V8_API_DISABLED=1");
    if (s.repeats || s.pinned) {
      out.environment.push_back("CUBLAS_WORKSPACE_CONFIG=:4096:8");
      out.code.insert(out.code.end(), {"torch.use_deterministic_algorithms(True)", "torch.backends.cudnn.deterministic = True", "torch.backends.cudnn.benchmark = False"});
    } else {
      out.code.insert(out.code.end(), {"torch.backends.cudnn.deterministic = False", "torch.backends.cudnn.benchmark = True"});
      out.limits.push_back("benchmark = True times anew in every process: it may pick otherwise each time, and it times each plan once");
    }
    if (s.f32 || s.tf32)
      for (const char* name : {"torch.backends.cudnn.allow_tf32", "torch.backends.cuda.matmul.allow_tf32"}) out.code.push_back(std::string(name) + (s.tf32 ? " = True" : " = False"));
    if (s.pinned) {
      out.limits.push_back("only while this version of PyTorch still has its legacy cuDNN path, which the environment variable returns to");
    } else {
      out.limits.push_back("no switch picks an engine or its knobs for one layer: all layers get what the rule of the switch gives");
      if (s.repeats)
        out.limits.push_back("deterministic = True drops the configurations that carry cuDNN's NONDETERMINISTIC note and takes the first that is left: not the fastest, and an engine whose note is missing passes");
    }
    if (s.repeats) out.limits.push_back("ops without a deterministic kernel throw under use_deterministic_algorithms(True); warn_only=True lets them run as they are");
  } else {
    if (!s.threads.empty()) out.code.push_back("torch.set_num_threads(" + s.threads + ")");
    out.limits.push_back("no switch picks a oneDNN implementation for one layer; ONEDNN_MAX_CPU_ISA limits all of them to an instruction set");
  }
  return out;
}

FrameworkSwitches tensorflow(const Summary& s) {
  FrameworkSwitches out{"tensorflow", false, {}, {"import tensorflow as tf"}, {}};
  if (s.repeats) {
    out.code.insert(out.code.end(), {"tf.keras.utils.set_random_seed(1)", "tf.config.experimental.enable_op_determinism()  # 2.8 and later"});
    out.environment.push_back("TF_DETERMINISTIC_OPS=1  # 2.1 to 2.7, where enable_op_determinism() is missing");
    if (s.gpu) {
      out.environment.push_back("TF_CUDNN_USE_FRONTEND=1  # 2.5 to 2.7 only: without it the algorithm is still picked by time there");
      out.limits.push_back("every convolution gets the first deterministic algorithm of TensorFlow's list that works, not the fastest that repeats: `first_workable_deterministic` is that policy, measured");
      out.limits.push_back("TF_USE_CUDNN_AUTOTUNE must not be set beside it");
    }
    out.limits.push_back("ops without a deterministic kernel throw; tf.data stages with stateful functions run one at a time");
  } else if (s.gpu) {
    out.limits.push_back("without determinism TensorFlow times cuDNN's algorithms in every process and may pick otherwise each time");
  }
  if (s.gpu && (s.f32 || s.tf32)) out.code.push_back(std::string("tf.config.experimental.enable_tensor_float_32_execution(") + (s.tf32 ? "True)" : "False)"));
  if (!s.gpu && !s.threads.empty()) out.code.push_back("tf.config.threading.set_intra_op_parallelism_threads(" + s.threads + ")");
  out.limits.push_back(s.gpu ? "no switch picks an algorithm, an engine or its knobs for one layer" : "no switch picks a oneDNN implementation for one layer");
  if (s.gpu && s.any_convolution) out.limits.push_back("the filter gradient of a depthwise convolution is TensorFlow's own kernel, deterministic from 2.10 on");
  return out;
}

FrameworkSwitches jax(const Summary& s) {
  FrameworkSwitches out{"jax", false, {}, {}, {}};
  if (s.gpu) {
    if (s.repeats) {
      out.environment.push_back("XLA_FLAGS=--xla_gpu_deterministic_ops=true");
      out.limits.push_back("it disables autotuning, so each layer gets XLA's default algorithm, not the fastest that repeats");
      out.limits.push_back("instead: XLA_FLAGS='--xla_gpu_exclude_nondeterministic_ops=true --xla_gpu_dump_autotune_results_to=FILE' once, then --xla_gpu_load_autotune_results_from=FILE in every run: the selection is then pinned, but it is XLA's own, and this file cannot be turned into one");
      out.limits.push_back("SelectAndScatter (the gradient of max-pooling) is a compile error under both flags");
    } else {
      out.limits.push_back("XLA times algorithms when it compiles, so each process may pick otherwise; --xla_gpu_load_autotune_results_from pins a selection of its own");
    }
    out.limits.push_back("no switch picks an engine or its knobs for one layer");
  } else {
    out.limits.push_back("XLA compiles its own CPU kernels: none of this file's algorithms is one of them");
    if (!s.threads.empty()) out.limits.push_back("XLA's CPU thread count follows the process's cores: taskset keeps it at " + s.threads);
  }
  if (s.f32 || s.tf32) out.code.insert(out.code.end(), {"import jax", std::string("jax.config.update(\"jax_default_matmul_precision\", \"") + (s.tf32 ? "tensorfloat32\")" : "highest\")")});
  return out;
}

}  // namespace

Result<FrameworkSwitches> switches_for(std::string_view framework, const Selection& selection) {
  const auto s = summarize(selection);
  FrameworkSwitches out;
  if (framework == "pytorch") out = pytorch(s);
  else if (framework == "tensorflow") out = tensorflow(s);
  else if (framework == "jax") out = jax(s);
  else return invalid_input("'" + std::string(framework.substr(0, 60)) + "' is no framework that is known here: pytorch, tensorflow and jax are");
  if (s.own_kernels) out.limits.push_back("the file's fixed_order, cuda and openmp rules are detbench's own kernels: the framework has others");
  if (s.more)
    out.limits.push_back("nothing asks for the same bits " + std::string(s.demand == "batch" ? "in another batch size" : s.gpu ? "with another number of multiprocessors" : "with another number of threads") +
                         ": keep that number, and measure");
  return out;
}

}  // namespace detbench
