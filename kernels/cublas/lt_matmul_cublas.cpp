#include <algorithm>
#include <cstring>
#include <optional>

#include "kernels/cublas/handle.hpp"
#include "kernels/cublas/lt_matmul.hpp"

namespace detbench::cublas {
namespace {

// A number instead of a name, because headers before 12.9 lack it: CUBLASLT_ALGO_CAP_FLOATING_POINT_EMULATION_SUPPORT.
constexpr auto floating_point_emulation = static_cast<cublasLtMatmulAlgoCapAttributes_t>(22);

/// One for the process: a handle is only a context's cache, may be used by several threads, and costs milliseconds.
Result<cublasLtHandle_t> shared_handle(const Library& library) {
  static const Result<cublasLtHandle_t> shared = [&]() -> Result<cublasLtHandle_t> {
    cublasLtHandle_t handle = nullptr;
    DETBENCH_CUBLAS_TRY(library, cublasLtCreate(&handle));
    return handle;
  }();
  return shared;
}

std::string hexadecimal(const cublasLtMatmulAlgo_t& algo) {
  constexpr char digits[] = "0123456789abcdef";
  unsigned char bytes[sizeof algo];
  std::memcpy(bytes, &algo, sizeof algo);
  std::string text;
  for (const unsigned char byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

std::optional<cublasLtMatmulAlgo_t> from_hexadecimal(const std::string& text) {
  cublasLtMatmulAlgo_t algo{};
  unsigned char bytes[sizeof algo];
  if (text.size() != 2 * sizeof algo) return std::nullopt;
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    int value = 0;
    for (const char c : {text[2 * i], text[2 * i + 1]}) {
      if (c >= '0' && c <= '9') value = value * 16 + (c - '0');
      else if (c >= 'a' && c <= 'f') value = value * 16 + (c - 'a' + 10);
      else return std::nullopt;
    }
    bytes[i] = static_cast<unsigned char>(value);
  }
  std::memcpy(&algo, bytes, sizeof algo);
  return algo;
}

template <class Enumeration>
std::vector<std::uint16_t> below(Enumeration end) {
  std::vector<std::uint16_t> values;
  for (int i = 0; i < static_cast<int>(end); ++i) values.push_back(static_cast<std::uint16_t>(i));
  return values;
}

struct Preference {
  explicit Preference(const Library& l) : library(l) {}
  Preference(const Preference&) = delete;
  ~Preference() {
    if (handle) library.cublasLtMatmulPreferenceDestroy(handle);
  }
  const Library& library;
  cublasLtMatmulPreference_t handle = nullptr;
};

}  // namespace

Result<std::unique_ptr<LtMatmul>> LtMatmul::make(const Gemm& gemm, const LtTarget& target) {
  const auto loaded = library();
  if (!loaded) return tl::unexpected(loaded.error());
  const auto handle = shared_handle(**loaded);
  if (!handle) return tl::unexpected(handle.error());
  return make(**loaded, *handle, gemm, target);
}

Result<std::unique_ptr<LtMatmul>> LtMatmul::make(const Library& library, cublasLtHandle_t handle, const Gemm& gemm, const LtTarget& target) {
  std::unique_ptr<LtMatmul> matmul(new LtMatmul(library, handle, gemm, target));
  if (auto status = matmul->describe(); !status) return tl::unexpected(status.error());
  return matmul;
}

Status LtMatmul::describe() {
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulDescCreate(&operation_, target_.compute, CUDA_R_32F));
  const auto c = column_major(gemm_);
  const std::int32_t left_op = c.left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, right_op = c.right.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSA, &left_op, sizeof left_op));
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_TRANSB, &right_op, sizeof right_op));
  if (target_.sm_count_target > 0) {
    const std::int32_t count = target_.sm_count_target;
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulDescSetAttribute(operation_, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, &count, sizeof count));
  }
  const auto layout = [&](cublasLtMatrixLayout_t* made, DataType type, std::int64_t rows, std::int64_t columns) -> Status {
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatrixLayoutCreate(made, to_cuda(type), static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), rows));
    return {};
  };
  if (auto status = layout(&left_, gemm_.input, c.left.rows, c.left.columns); !status) return status;
  if (auto status = layout(&right_, gemm_.input, c.right.rows, c.right.columns); !status) return status;
  if (auto status = layout(&out_, gemm_.output, c.m, c.n); !status) return status;
  return {};
}

LtMatmul::~LtMatmul() {
  if (operation_) library_.cublasLtMatmulDescDestroy(operation_);
  for (auto layout : {left_, right_, out_})
    if (layout) library_.cublasLtMatrixLayoutDestroy(layout);
}

Result<std::vector<int>> LtMatmul::ids() {
  const auto input = to_cuda(gemm_.input), output = to_cuda(gemm_.output);
  // The library fills at most as many as are asked for and does not say that there were more: ask again with more room.
  for (int room = 64;; room *= 4) {
    std::vector<int> ids(static_cast<std::size_t>(room));
    int count = 0;
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoGetIds(handle_, target_.compute, CUDA_R_32F, input, input, output, output, room, ids.data(), &count));
    if (count < room || room > 65536) {
      ids.resize(static_cast<std::size_t>(std::clamp(count, 0, room)));
      return ids;
    }
  }
}

Result<cublasLtMatmulAlgo_t> LtMatmul::initialised(int id) {
  const auto input = to_cuda(gemm_.input), output = to_cuda(gemm_.output);
  cublasLtMatmulAlgo_t algo{};
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoInit(handle_, target_.compute, CUDA_R_32F, input, input, output, output, id, &algo));
  return algo;
}

Result<LtCapabilities> LtMatmul::capabilities(int id) {
  const auto algo = initialised(id);
  if (!algo) return tl::unexpected(algo.error());
  const auto number = [&](cublasLtMatmulAlgoCapAttributes_t attribute, auto& value) -> Status {
    std::size_t written = 0;
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoCapGetAttribute(&*algo, attribute, &value, sizeof value, &written));
    return {};
  };
  const auto list = [&](cublasLtMatmulAlgoCapAttributes_t attribute, std::vector<std::uint32_t>& values) -> Status {
    std::size_t bytes = 0;
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoCapGetAttribute(&*algo, attribute, nullptr, 0, &bytes));
    values.resize(bytes / sizeof(std::uint32_t));
    if (values.empty()) return {};
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoCapGetAttribute(&*algo, attribute, values.data(), values.size() * sizeof(std::uint32_t), &bytes));
    values.resize(bytes / sizeof(std::uint32_t));
    return {};
  };
  LtCapabilities can;
  std::int32_t split_k = 0, most_custom = 0;
  for (const Status& status :
       {list(CUBLASLT_ALGO_CAP_TILE_IDS, can.tiles), list(CUBLASLT_ALGO_CAP_STAGES_IDS, can.stages), number(CUBLASLT_ALGO_CAP_SPLITK_SUPPORT, split_k),
        number(CUBLASLT_ALGO_CAP_REDUCTION_SCHEME_MASK, can.scheme_mask), number(CUBLASLT_ALGO_CAP_CTA_SWIZZLING_SUPPORT, can.most_swizzle),
        number(CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX, most_custom)})
    if (!status) return tl::unexpected(status.error());
  can.split_k = split_k != 0;
  can.most_custom = static_cast<std::uint32_t>(std::max(most_custom, 0));
  can.inner_shapes = below(CUBLASLT_MATMUL_INNER_SHAPE_END);
  can.cluster_shapes = below(CUBLASLT_CLUSTER_SHAPE_END);
  return can;
}

Result<cublasLtMatmulAlgo_t> LtMatmul::configured(const LtConfiguration& c) {
  auto algo = initialised(c.id);
  if (!algo) return algo;
  // What stays at its default is left as AlgoInit made it: a library may keep more there than the attribute shows.
  const LtConfiguration defaults{c.id};
  const auto set = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto value, auto standard) -> Status {
    if (value == standard) return {};
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoConfigSetAttribute(&*algo, attribute, &value, sizeof value));
    return {};
  };
  for (const Status& status :
       {set(CUBLASLT_ALGO_CONFIG_TILE_ID, c.tile, defaults.tile), set(CUBLASLT_ALGO_CONFIG_STAGES_ID, c.stages, defaults.stages),
        set(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, c.split_k, defaults.split_k),
        set(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, static_cast<std::uint32_t>(c.scheme), static_cast<std::uint32_t>(defaults.scheme)),
        set(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, c.swizzle, defaults.swizzle), set(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, c.custom, defaults.custom),
        set(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, c.inner_shape, defaults.inner_shape),
        set(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, c.cluster_shape, defaults.cluster_shape)})
    if (!status) return tl::unexpected(status.error());
  return algo;
}

LtConfiguration LtMatmul::read_configuration(const cublasLtMatmulAlgo_t& algo) const {
  LtConfiguration c;
  // A value that the library does not give stays at its default; the algorithm's bytes, which are compared, still tell.
  const auto get = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto& value) {
    std::size_t written = 0;
    auto read = value;
    if (library_.cublasLtMatmulAlgoConfigGetAttribute(&algo, attribute, &read, sizeof read, &written) == CUBLAS_STATUS_SUCCESS) value = read;
  };
  std::int32_t id = 0;
  std::uint32_t scheme = 0;
  get(CUBLASLT_ALGO_CONFIG_ID, id);
  get(CUBLASLT_ALGO_CONFIG_TILE_ID, c.tile);
  get(CUBLASLT_ALGO_CONFIG_STAGES_ID, c.stages);
  get(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, c.split_k);
  get(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, scheme);
  get(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, c.swizzle);
  get(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, c.custom);
  get(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, c.inner_shape);
  get(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, c.cluster_shape);
  c.id = id;
  c.scheme = static_cast<ReductionScheme>(scheme);
  return c;
}

Result<std::size_t> LtMatmul::least_alignment(const cublasLtMatmulAlgo_t& algo) const {
  std::size_t largest = 1;
  for (const auto attribute : {CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_A_BYTES, CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_B_BYTES, CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_C_BYTES,
                               CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_D_BYTES}) {
    std::uint32_t least = 0;
    std::size_t written = 0;
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoCapGetAttribute(&algo, attribute, &least, sizeof least, &written));
    largest = std::max<std::size_t>(largest, least);
  }
  return largest;
}

Status LtMatmul::check_emulation(const cublasLtMatmulAlgo_t& algo) const {
  if (!target_.emulated) return {};
  std::int32_t supported = 0;
  std::size_t written = 0;
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoCapGetAttribute(&algo, floating_point_emulation, &supported, sizeof supported, &written));
  return supported != 0 ? Status{} : unsupported("the algorithm does not emulate floating point");
}

LtVerdict LtMatmul::judge(const cublasLtMatmulAlgo_t& algo) {
  // The check of the library sees strides, not pointers.
  const auto alignment = least_alignment(algo);
  if (!alignment) return {Reason{alignment.error().text, Reason::Kind::unsupported}};
  if (*alignment > target_.alignment_bytes)
    return {Reason{"it wants its matrices at multiples of " + std::to_string(*alignment) + " bytes; memory here has " + std::to_string(target_.alignment_bytes),
                   Reason::Kind::unsupported}};
  if (const auto status = check_emulation(algo); !status) return {Reason{status.error().text, Reason::Kind::unsupported}};
  cublasLtMatmulHeuristicResult_t result{};
  const auto status = library_.cublasLtMatmulAlgoCheck(handle_, operation_, left_, right_, out_, out_, &algo, &result);
  if (status != CUBLAS_STATUS_SUCCESS) {
    auto reason = cublas_reason(library_, status, "cublasLtMatmulAlgoCheck");
    reason.kind = Reason::Kind::unsupported;  // INVALID_VALUE is how it says "not this combination", too
    return {reason};
  }
  return {std::nullopt, result.workspaceSize, static_cast<double>(result.wavesCount)};
}

LtVerdict LtMatmul::check(const LtConfiguration& configuration) {
  const auto algo = configured(configuration);
  if (!algo) return {Reason{algo.error().text, Reason::Kind::unsupported}};
  return judge(*algo);
}

Result<std::vector<LtProposal>> LtMatmul::ask_heuristics(const Question& question, int most) {
  Preference preference(library_);
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulPreferenceCreate(&preference.handle));
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) -> Status {
    DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulPreferenceSetAttribute(preference.handle, attribute, &value, sizeof value));
    return {};
  };
  // Without these the library assumes 256 bytes of alignment, and no workspace at all.
  const auto alignment = static_cast<std::uint32_t>(std::min<std::size_t>(target_.alignment_bytes, 256));
  for (const Status& status :
       {set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(target_.workspace_cap_bytes)),
        set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment), set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment),
        set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment), set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment),
        question.splits ? Status{} : set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{0}),
        question.id < 0 ? Status{} : set(CUBLASLT_MATMUL_PREF_SEARCH_MODE, static_cast<std::uint32_t>(CUBLASLT_SEARCH_LIMITED_BY_ALGO_ID))})
    if (!status) return tl::unexpected(status.error());
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(most));
  if (question.id >= 0) {
    const auto algo = initialised(question.id);
    if (!algo) return tl::unexpected(algo.error());
    for (auto& result : results) result.algo = *algo;  // how the library is told which algorithm is meant
  }
  int count = 0;
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoGetHeuristic(handle_, operation_, left_, right_, out_, out_, preference.handle, most, results.data(), &count));
  std::vector<LtProposal> proposals;
  for (int i = 0; i < std::min(count, most); ++i) {
    const auto& result = results[static_cast<std::size_t>(i)];
    if (result.state != CUBLAS_STATUS_SUCCESS) continue;
    LtProposal proposal{read_configuration(result.algo), {}, judge(result.algo)};
    const auto rebuilt = configured(proposal.configuration);
    if (!rebuilt || std::memcmp(&*rebuilt, &result.algo, sizeof result.algo) != 0) proposal.bytes = hexadecimal(result.algo);
    proposals.push_back(std::move(proposal));
  }
  return proposals;
}

Result<std::vector<LtProposal>> LtMatmul::heuristics(int most) {
  auto proposals = ask_heuristics({}, most);
  const auto add = [&](const Question& question, int count) {
    auto more = ask_heuristics(question, count);
    if (!more) return;  // this question has no answer here; the others may
    if (!proposals) proposals = std::vector<LtProposal>();
    proposals->insert(proposals->end(), std::make_move_iterator(more->begin()), std::make_move_iterator(more->end()));
  };
  add({false, -1}, most);
  if (const auto all = ids())
    for (const int id : *all) add({true, id}, 1);
  return proposals;
}

Result<LtAlgorithm> LtMatmul::prepare(const LtConfiguration& configuration, const std::string& bytes) {
  Result<cublasLtMatmulAlgo_t> algo = configured(configuration);
  if (!bytes.empty()) {
    const auto given = from_hexadecimal(bytes);
    if (!given || read_configuration(*given) != configuration)
      return invalid_input("the bytes " + bytes.substr(0, 2 * sizeof(cublasLtMatmulAlgo_t)) + " do not hold " + format_configuration(configuration));
    algo = *given;
  }
  if (!algo) return tl::unexpected(algo.error());
  const auto verdict = judge(*algo);
  if (verdict.refused) return tl::unexpected(*verdict.refused);
  const auto alignment = least_alignment(*algo);
  if (!alignment) return tl::unexpected(alignment.error());
  LtAlgorithm prepared{*algo, verdict.workspace_bytes, *alignment, {}};
  prepared.notes["algo_bytes"] = version_text(library_.version) + ":" + hexadecimal(*algo);
  prepared.notes["waves"] = std::to_string(verdict.waves);
  std::uint64_t flags = 0;
  std::size_t written = 0;
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmulAlgoCapGetAttribute(&*algo, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS, &flags, sizeof flags, &written));
  prepared.notes["numerical_impl_flags"] = std::to_string(flags);
  return prepared;
}

Status LtMatmul::multiply(const LtAlgorithm& algorithm, const void* a, const void* b, void* out, void* workspace, void* stream) const {
  const float one = 1, zero = 0;
  DETBENCH_CUBLAS_TRY(library_, cublasLtMatmul(handle_, operation_, &one, b, left_, a, right_, &zero, out, out_, out, out_, &algorithm.algo, workspace,
                                               algorithm.workspace_bytes, static_cast<cudaStream_t>(stream)));
  return {};
}

}  // namespace detbench::cublas
