// What cuBLASLt is asked and how its answers are read, held against a library of the test's own: algorithms 3 (any
// configuration) and 7 (tile 20 only, wants 32 bytes of alignment, one hidden word that no attribute shows).
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "kernels/cublas/lt_matmul.hpp"

namespace detbench::cublas {
namespace {

/// Words of the fake 64 bytes: word 0 the id, words 1 to 8 the configuration, word 12 the hidden one.
struct Words {
  std::uint32_t word[16];
};
static_assert(sizeof(Words) == sizeof(cublasLtMatmulAlgo_t));
Words words_of(const cublasLtMatmulAlgo_t& algo) {
  Words words;
  std::memcpy(&words, &algo, sizeof words);
  return words;
}
void store(cublasLtMatmulAlgo_t* algo, const Words& words) { std::memcpy(algo, &words, sizeof words); }

struct Asked {
  std::uint64_t workspace = 0;
  std::uint32_t alignment = 0, schemes = 7, mode = 0;
};
std::vector<Asked> questions;
std::map<int, std::int64_t> description;  // attributes of the operation
std::vector<std::vector<std::int64_t>> layouts;
int alive = 0, token = 0;

Library fake_library() {
  questions.clear(), description.clear(), layouts.clear();
  alive = 0;
  Library l;
  l.version = 130100;
  l.cublasGetStatusName = [](cublasStatus_t) { return "CUBLAS_STATUS_TEST"; };
  l.cublasLtMatmulDescCreate = [](cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t scale) {
    EXPECT_EQ(scale, CUDA_R_32F);
    description[-1] = compute;
    ++alive;
    *made = reinterpret_cast<cublasLtMatmulDesc_t>(&token);
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulDescDestroy = [](cublasLtMatmulDesc_t) { return --alive, CUBLAS_STATUS_SUCCESS; };
  l.cublasLtMatmulDescSetAttribute = [](cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t attribute, const void* value, std::size_t bytes) {
    EXPECT_EQ(bytes, 4u);
    description[attribute] = *static_cast<const std::int32_t*>(value);
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatrixLayoutCreate = [](cublasLtMatrixLayout_t* made, cudaDataType type, std::uint64_t rows, std::uint64_t columns, std::int64_t ld) {
    layouts.push_back({type, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), ld});
    ++alive;
    *made = reinterpret_cast<cublasLtMatrixLayout_t>(&token);
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatrixLayoutDestroy = [](const cublasLtMatrixLayout_t) { return --alive, CUBLAS_STATUS_SUCCESS; };
  l.cublasLtMatmulPreferenceCreate = [](cublasLtMatmulPreference_t* made) {
    questions.emplace_back();
    ++alive;
    *made = reinterpret_cast<cublasLtMatmulPreference_t>(&token);
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulPreferenceDestroy = [](cublasLtMatmulPreference_t) { return --alive, CUBLAS_STATUS_SUCCESS; };
  l.cublasLtMatmulPreferenceSetAttribute = [](cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t attribute, const void* value, std::size_t bytes) {
    auto& asked = questions.back();
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
      EXPECT_EQ(bytes, 8u);
      std::memcpy(&asked.workspace, value, 8);
    } else {
      EXPECT_EQ(bytes, 4u);
      std::uint32_t number = 0;
      std::memcpy(&number, value, 4);
      if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) asked.schemes = number;
      else if (attribute == CUBLASLT_MATMUL_PREF_SEARCH_MODE) asked.mode = number;
      else asked.alignment = number;
    }
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulAlgoGetIds = [](cublasLtHandle_t, cublasComputeType_t, cudaDataType_t, cudaDataType_t, cudaDataType_t, cudaDataType_t, cudaDataType_t,
                                  int most, int* ids, int* count) {
    EXPECT_GE(most, 2);
    ids[0] = 3, ids[1] = 7, *count = 2;
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulAlgoInit = [](cublasLtHandle_t, cublasComputeType_t, cudaDataType_t, cudaDataType_t, cudaDataType_t, cudaDataType_t, cudaDataType_t, int id,
                                cublasLtMatmulAlgo_t* algo) {
    if (id != 3 && id != 7) return CUBLAS_STATUS_INVALID_VALUE;
    Words words{};
    words.word[0] = static_cast<std::uint32_t>(id), words.word[CUBLASLT_ALGO_CONFIG_SPLITK_NUM] = 1;
    store(algo, words);
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulAlgoConfigSetAttribute = [](cublasLtMatmulAlgo_t* algo, cublasLtMatmulAlgoConfigAttributes_t attribute, const void* value, std::size_t bytes) {
    EXPECT_EQ(bytes, attribute >= CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID ? 2u : 4u);
    auto words = words_of(*algo);
    words.word[attribute] = 0;
    std::memcpy(&words.word[attribute], value, bytes);
    store(algo, words);
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulAlgoConfigGetAttribute = [](const cublasLtMatmulAlgo_t* algo, cublasLtMatmulAlgoConfigAttributes_t attribute, void* value, std::size_t bytes,
                                              std::size_t* written) {
    const auto words = words_of(*algo);
    std::memcpy(value, &words.word[attribute], bytes);
    *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulAlgoCapGetAttribute = [](const cublasLtMatmulAlgo_t* algo, cublasLtMatmulAlgoCapAttributes_t attribute, void* value, std::size_t bytes,
                                           std::size_t* written) {
    const bool first = words_of(*algo).word[0] == 3;
    const auto list = [&](std::vector<std::uint32_t> values) {
      *written = values.size() * 4;
      if (bytes != 0) std::memcpy(value, values.data(), *written);
      return CUBLAS_STATUS_SUCCESS;
    };
    const auto number = [&](std::uint32_t n) {
      EXPECT_EQ(bytes, 4u);
      std::memcpy(value, &n, 4);
      *written = 4;
      return CUBLAS_STATUS_SUCCESS;
    };
    switch (attribute) {
      case CUBLASLT_ALGO_CAP_TILE_IDS: return list(first ? std::vector<std::uint32_t>{15, 20} : std::vector<std::uint32_t>{20});
      case CUBLASLT_ALGO_CAP_STAGES_IDS: return list({});
      case CUBLASLT_ALGO_CAP_SPLITK_SUPPORT: return number(first ? 1 : 0);
      case CUBLASLT_ALGO_CAP_REDUCTION_SCHEME_MASK: return number(first ? 3 : 0);
      case CUBLASLT_ALGO_CAP_CTA_SWIZZLING_SUPPORT: return number(1);
      case CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX: return number(first ? 2 : 0);
      case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_A_BYTES: return number(first ? 4 : 32);
      case CUBLASLT_ALGO_CAP_FLOATING_POINT_EMULATION_SUPPORT: return number(first ? 1 : 0);
      case CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS: {
        const std::uint64_t flags = 66;
        EXPECT_EQ(bytes, 8u);
        std::memcpy(value, &flags, 8);
        *written = 8;
        return CUBLAS_STATUS_SUCCESS;
      }
      default: return number(4);
    }
  };
  l.cublasLtMatmulAlgoCheck = [](cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                 cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t* algo, cublasLtMatmulHeuristicResult_t* result) {
    const auto words = words_of(*algo);
    if (words.word[0] == 7 && words.word[CUBLASLT_ALGO_CONFIG_TILE_ID] != 20) return CUBLAS_STATUS_INVALID_VALUE;
    result->workspaceSize = 1000 * words.word[CUBLASLT_ALGO_CONFIG_SPLITK_NUM];
    result->wavesCount = 0.5f;
    return CUBLAS_STATUS_SUCCESS;
  };
  l.cublasLtMatmulAlgoGetHeuristic = [](cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                        cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int most, cublasLtMatmulHeuristicResult_t* results, int* count) {
    const auto& asked = questions.back();
    Words words{};
    words.word[0] = 3, words.word[CUBLASLT_ALGO_CONFIG_SPLITK_NUM] = 1;
    *count = 0;
    const auto give = [&](const Words& given, cublasStatus_t state) {
      EXPECT_LT(*count, most);
      store(&results[*count].algo, given);
      results[(*count)++].state = state;
    };
    if (asked.mode == CUBLASLT_SEARCH_LIMITED_BY_ALGO_ID) {
      words = words_of(results[0].algo);
      words.word[CUBLASLT_ALGO_CONFIG_TILE_ID] = 20;
      give(words, CUBLAS_STATUS_SUCCESS);
    } else if (asked.schemes == 0) {
      give(words, CUBLAS_STATUS_SUCCESS);
    } else {
      words.word[CUBLASLT_ALGO_CONFIG_SPLITK_NUM] = 4, words.word[CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME] = 2;
      give(words, CUBLAS_STATUS_SUCCESS);
      words.word[12] = 0xABCD;  // the same configuration, another algorithm
      give(words, CUBLAS_STATUS_SUCCESS);
      give(words, CUBLAS_STATUS_NOT_SUPPORTED);
    }
    return CUBLAS_STATUS_SUCCESS;
  };
  return l;
}

std::unique_ptr<LtMatmul> matmul_of(const Library& library, LtTarget target = {}, Gemm gemm = {2, 3, 5, false, true, DataType::f16, DataType::f32, false}) {
  return std::move(LtMatmul::make(library, reinterpret_cast<cublasLtHandle_t>(&token), gemm, target).value());
}

TEST(LtMatmul, DescribesTheTransposedProductAndLeavesNothingBehind) {
  const auto library = fake_library();
  {
    LtTarget target;
    target.sm_count_target = 16;
    const auto matmul = matmul_of(library, target);
    EXPECT_EQ(description[-1], CUBLAS_COMPUTE_32F);
    EXPECT_EQ(description[CUBLASLT_MATMUL_DESC_TRANSA], CUBLAS_OP_T);
    EXPECT_EQ(description[CUBLASLT_MATMUL_DESC_TRANSB], CUBLAS_OP_N);
    EXPECT_EQ(description[CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET], 16);
    // our b as 5 rows and 3 columns, our a as 5 rows and 2 columns, the output as 3 rows and 2 columns
    EXPECT_EQ(layouts, (std::vector<std::vector<std::int64_t>>{{CUDA_R_16F, 5, 3, 5}, {CUDA_R_16F, 5, 2, 5}, {CUDA_R_32F, 3, 2, 3}}));
    EXPECT_TRUE(matmul->heuristics(4));
    EXPECT_EQ(alive, 4) << "preferences are given back at once";
  }
  EXPECT_EQ(alive, 0);
}

TEST(LtMatmul, ReadsCapabilities) {
  const auto library = fake_library();
  const auto matmul = matmul_of(library);
  EXPECT_EQ(matmul->ids().value(), (std::vector<int>{3, 7}));
  const auto can = matmul->capabilities(3);
  ASSERT_TRUE(can) << can.error().text;
  EXPECT_EQ(can->tiles, (std::vector<std::uint32_t>{15, 20}));
  EXPECT_TRUE(can->stages.empty());
  EXPECT_TRUE(can->split_k);
  EXPECT_EQ(can->scheme_mask, 3u);
  EXPECT_EQ(can->most_swizzle, 1u);
  EXPECT_EQ(can->most_custom, 2u);
  EXPECT_EQ(can->inner_shapes.size(), static_cast<std::size_t>(CUBLASLT_MATMUL_INNER_SHAPE_END));
  EXPECT_EQ(can->cluster_shapes.size(), static_cast<std::size_t>(CUBLASLT_CLUSTER_SHAPE_END));
  EXPECT_FALSE(matmul->capabilities(4));
}

TEST(LtMatmul, AsksTheHeuristicsInEveryModeAndTellsHiddenBytesApart) {
  const auto library = fake_library();
  LtTarget target;
  target.alignment_bytes = 64, target.workspace_cap_bytes = 12345;
  const auto proposals = matmul_of(library, target)->heuristics(32);
  ASSERT_TRUE(proposals) << proposals.error().text;
  ASSERT_EQ(questions.size(), 4u);  // all, without a split, algorithm 3, algorithm 7
  for (const auto& asked : questions) {
    EXPECT_EQ(asked.workspace, 12345u);
    EXPECT_EQ(asked.alignment, 64u);
  }
  EXPECT_EQ(questions[1].schemes, 0u);
  EXPECT_EQ(questions[3].mode, static_cast<std::uint32_t>(CUBLASLT_SEARCH_LIMITED_BY_ALGO_ID));
  const LtConfiguration split{3, 0, 0, 4, ReductionScheme::compute_type};
  ASSERT_EQ(proposals->size(), 5u);
  EXPECT_EQ((*proposals)[0].configuration, split);
  EXPECT_TRUE((*proposals)[0].bytes.empty());
  EXPECT_EQ((*proposals)[0].verdict.workspace_bytes, 4000u);
  EXPECT_EQ((*proposals)[1].configuration, split);
  EXPECT_EQ((*proposals)[1].bytes.size(), 128u);
  EXPECT_EQ((*proposals)[2].configuration, (LtConfiguration{3}));
  EXPECT_EQ((*proposals)[3].configuration, (LtConfiguration{3, 20}));
  EXPECT_EQ((*proposals)[4].configuration, (LtConfiguration{7, 20}));
}

TEST(LtMatmul, PreparesByValuesOrByBytesAndRefusesBytesOfAnotherName) {
  const auto library = fake_library();
  const auto matmul = matmul_of(library);
  const LtConfiguration split{3, 0, 0, 4, ReductionScheme::compute_type};
  const auto plain = matmul->prepare(split, "");
  ASSERT_TRUE(plain) << plain.error().text;
  EXPECT_EQ(plain->workspace_bytes, 4000u);
  EXPECT_EQ(plain->alignment_bytes, 4u);
  EXPECT_EQ(words_of(plain->algo).word[12], 0u);
  EXPECT_EQ(plain->notes.at("numerical_impl_flags"), "66");
  const auto bytes = (*matmul->heuristics(32))[1].bytes;
  const auto exact = matmul->prepare(split, bytes);
  ASSERT_TRUE(exact) << exact.error().text;
  EXPECT_EQ(words_of(exact->algo).word[12], 0xABCDu);
  EXPECT_EQ(exact->notes.at("algo_bytes"), "13.1.0:" + bytes);
  for (const auto& [configuration, given] : {std::pair{LtConfiguration{3}, bytes}, {split, bytes.substr(1)}, {split, std::string(128, 'x')}}) {
    const auto refused = matmul->prepare(configuration, given);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Reason::Kind::invalid_input);
  }
  EXPECT_FALSE(matmul->prepare({9}, ""));
}

TEST(LtMatmul, RefusesMoreAlignmentThanThereIsAndWhatDoesNotEmulate) {
  const auto library = fake_library();
  EXPECT_FALSE(matmul_of(library)->check({7, 20}).refused);
  LtTarget target;
  target.alignment_bytes = 16;
  const auto verdict = matmul_of(library, target)->check({7, 20});
  ASSERT_TRUE(verdict.refused);
  EXPECT_NE(verdict.refused->text.find("32 bytes"), std::string::npos) << verdict.refused->text;
  EXPECT_EQ(verdict.refused->kind, Reason::Kind::unsupported);
  EXPECT_TRUE(matmul_of(library)->check({7, 15}).refused);
  target.alignment_bytes = 64, target.emulated = true;
  EXPECT_FALSE(matmul_of(library, target)->check({3}).refused);
  EXPECT_TRUE(matmul_of(library, target)->check({7, 20}).refused);
}

TEST(LtMatmul, IsSearchedTierByTier) {
  const auto library = fake_library();
  const auto matmul = matmul_of(library);
  const auto found = find_candidates(*matmul, {});
  ASSERT_TRUE(found) << found.error().text;
  std::vector<std::string> names;
  for (const auto& candidate : *found) names.push_back(std::string(to_text(candidate.tier)) + " " + format_configuration(candidate.configuration));
  EXPECT_EQ(names, (std::vector<std::string>{"t1 algo3[SPLITK=4;SCHEME=COMPUTE_TYPE]", "t1 algo3[SPLITK=4;SCHEME=COMPUTE_TYPE]", "t0 algo3", "t1 algo3[TILE_ID=20]",
                                             "t0 algo7[TILE_ID=20]"}));
}

}  // namespace
}  // namespace detbench::cublas
