// Providers that answer matmul and the dense layers alike, through kernels/matmul/product.hpp.
#pragma once

#include <memory>
#include <string>

#include "kernels/matmul/product.hpp"
#include "kernels/search.hpp"

namespace detbench {

inline constexpr const char* no_tf32_order =
    "tensor cores have no order that can be fixed: ours are f32, and f16 and bf16 storage with f32 sums";

/// Lengths of a part that are offered for split_k_atomic and split_k_fixed where k is longer: numbers of the format. Any
/// other from 1 to 2^24 can be named.
inline constexpr std::int64_t split_chunks[] = {1024, 256, 4096};
std::string split_name(const std::string& algorithm, std::int64_t chunk);  ///< "split_k_fixed[CHUNK=1024]"
Result<std::int64_t> parse_split_name(const std::string& algorithm, const std::string& name);

/// Provider `cuda`: split_k_atomic, the tile kernel whose parts are joined by atomics (kernels/matmul/cuda_products.hpp). Absent
/// in builds without CUDA.
std::unique_ptr<Provider> make_cuda_products();

/// split_k_fixed of any product on a CPU, by name; the order is matmul_fixed_order.cpp's.
Result<std::unique_ptr<Plan>> plan_split_product_on_cpu(const Problem& problem, const Algorithm& algorithm);

/// fixed_order on a GPU: direct and split_k_fixed, with the bits that these names have on a CPU. Unsupported in builds without
/// CUDA.
Result<std::vector<Offer>> fixed_offers_on_gpu(const Problem& problem, const AlgorithmSearch& search);
Result<std::unique_ptr<Plan>> plan_fixed_product_on_gpu(const Problem& problem, const Algorithm& algorithm);

/// Provider `cublas`: cublasGemmEx under the arms of kernels/matmul/cublas_arms.hpp. Provider `cublaslt`: every algorithm,
/// configured as the tiers of `search` say (kernels/cublas/lt_search.hpp). Absent in builds without cuBLAS.
std::unique_ptr<Provider> make_cublas_products(const AlgorithmSearch& search);
std::unique_ptr<Provider> make_cublaslt_products(const AlgorithmSearch& search);

}  // namespace detbench
