// What cuDNN's graph API says to pooling on an H200 that need not be there.
#include "kernels/pooling/graph_cudnn.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cudnn/offers.hpp"
#include "kernels/cudnn/search.hpp"

namespace detbench {
namespace {

using namespace pooling;

const std::string shape = "mb32_c96_ih56_iw56_kh3_kw3_sh2_sw2_pt1_pb1_pl1_pr1";

/// The graph's engines and heuristics on sm_90; the reason where there is no library.
Result<cudnn::SearchResult> ask(WindowOp op, const char* layout) {
  auto target = cudnn::Target::of_architecture("sm_90");
  if (!target) return tl::unexpected(target.error());
  const auto problem = parse_window_problem({std::string(to_text(op)), is_maximum(op) ? shape : shape + "_ip0", "f32_f32_strict", layout});
  if (!problem) return tl::unexpected(problem.error());
  auto graph = resample_graph(*problem, 16);
  if (!graph) return tl::unexpected(graph.error());
  return cudnn::search(graph->graph, *target, {});
}

TEST(ResampleGraphs, AreStatedAndHaveEngines) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const WindowOp op : all_window_ops)
    for (const char* layout : {"nhwc", "nchw"}) {
      if (op == WindowOp::max_backward) continue;  // its channels-last list crashes: below
      const auto found = ask(op, layout);
      ASSERT_TRUE(found) << to_text(op) << " " << layout << ": " << found.error().text;
      EXPECT_FALSE(found->engines.empty()) << to_text(op) << " " << layout;
      std::string list;
      for (const auto& candidate : found->candidates) {
        const Offer offer = cudnn::make_offer(*found, candidate, {});
        list += " " + offer.algorithm.name + "=" + std::string(cudnn::to_text(candidate.support));
        const auto parsed = parse_case_id("x/y1/f32/z/" + algorithm_id(offer.algorithm));
        ASSERT_TRUE(parsed) << offer.algorithm.name;
        EXPECT_EQ(algorithm_id(parsed->algorithm), algorithm_id(offer.algorithm));
        EXPECT_TRUE(cudnn::parse_configuration(offer.algorithm.name));
      }
      RecordProperty(std::string(to_text(op)) + "_" + layout, list);
    }
}

// The list of a maximum's gradient is asked for in a process of its own, as the sweep's workers do it: an answer and a crash are
// both findings, and neither ends this program.
TEST(ResampleGraphs, AMaximumsGradientIsAskedForInAProcessOfItsOwn) {
  if (auto library = cudnn::library(); !library) GTEST_SKIP() << library.error().text;
  for (const char* layout : {"nhwc", "nchw"}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(ask(WindowOp::max_backward, layout) ? 0 : 3);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const std::string outcome = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : "exit " + std::to_string(WEXITSTATUS(status));
    RecordProperty(std::string("max_pool_bwd_") + layout, outcome);
    std::printf("max_pool_bwd %s without a GPU: %s\n", layout, outcome.c_str());
    if (!WIFSIGNALED(status)) {
      EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
    }
  }
}

}  // namespace
}  // namespace detbench
