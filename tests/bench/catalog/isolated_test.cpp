// Children that die, hang, print and lie.
#include "bench/catalog/isolated.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include "synthetic.hpp"

namespace detbench::catalog {
namespace {

using End = IsolatedOutcome::End;
using ::testing::HasSubstr;

IsolationSettings with(int jobs, double timeout_s = 30) {
  IsolationSettings settings;
  settings.jobs = jobs;
  settings.timeout_s = timeout_s;
  return settings;
}

/// Die as by a fault in a library, also under a sanitizer, which would turn a real one into an exit.
[[noreturn]] void fault() {
  std::signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
  _exit(99);
}

/// The child's end of the channel is a socket: writing to all of them reaches it whatever its number.
void write_to_every_socket(const std::string& bytes) {
  for (int fd = 3; fd < 256; ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) (void)!::write(fd, bytes.data(), bytes.size());
  }
}

TEST(Isolated, AnswersComeInTheOrderOfTheTasks) {
  for (const int jobs : {1, 3, 50}) {
    std::size_t last = 0;
    auto settings = with(jobs);
    settings.progress = [&](std::size_t done, std::size_t total) {
      EXPECT_EQ(total, 20U);
      EXPECT_EQ(done, last + 1);
      last = done;
    };
    const auto outcomes = run_isolated(20, [](std::size_t i, const Announce&) { return Json{{"square", i * i}, {"pid", getpid()}}; }, settings);
    ASSERT_TRUE(outcomes) << outcomes.error().text;
    ASSERT_EQ(outcomes->size(), 20U);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_EQ((*outcomes)[i].end, End::answered);
      EXPECT_EQ((*outcomes)[i].answer["square"], i * i);
      EXPECT_NE((*outcomes)[i].answer["pid"], getpid());
    }
    EXPECT_EQ(last, 20U);
  }
  EXPECT_TRUE(run_isolated(0, [](std::size_t, const Announce&) { return Json(); }, with(2))->empty());
}

TEST(Isolated, ADeathTakesItsTaskAndNoOther) {
  const auto outcomes = run_isolated(
      12,
      [](std::size_t i, const Announce& announce) {
        announce("before");
        announce("step " + std::to_string(i));
        if (i % 4 == 1) fault();
        if (i == 6) _exit(7);
        if (i == 7) throw std::runtime_error("no luck");
        return Json(i);
      },
      with(2));
  ASSERT_TRUE(outcomes) << outcomes.error().text;
  for (std::size_t i = 0; i < 12; ++i) {
    const auto& o = (*outcomes)[i];
    EXPECT_EQ(o.last_step, "step " + std::to_string(i));
    if (i % 4 == 1) {
      EXPECT_EQ(o.end, End::crashed);
      EXPECT_THAT(o.reason, HasSubstr("signal 11"));
    } else if (i == 6) {
      EXPECT_EQ(o.end, End::crashed);
      EXPECT_THAT(o.reason, HasSubstr("exit code 7"));
    } else if (i == 7) {
      EXPECT_EQ(o.end, End::crashed);
      EXPECT_THAT(o.reason, HasSubstr("no luck"));
    } else {
      EXPECT_EQ(o.end, End::answered) << i << ": " << o.reason;
      EXPECT_EQ(o.answer, i);
    }
  }
}

TEST(Isolated, AHangEndsAtItsTimeAndTheRestGoesOn) {
  const auto begun = std::chrono::steady_clock::now();
  const auto outcomes = run_isolated(
      4,
      [](std::size_t i, const Announce& announce) {
        announce("sleeping");
        if (i == 0) std::this_thread::sleep_for(std::chrono::minutes(10));
        return Json(i);
      },
      with(1, 2));
  ASSERT_TRUE(outcomes);
  EXPECT_EQ((*outcomes)[0].end, End::timed_out);
  EXPECT_THAT((*outcomes)[0].reason, HasSubstr("2 s"));
  EXPECT_EQ((*outcomes)[0].last_step, "sleeping");
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ((*outcomes)[i].end, End::answered);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(2));
}

TEST(Isolated, WhatALibraryPrintsIsNoAnswer) {
  const auto outcomes = run_isolated(
      2,
      [](std::size_t i, const Announce&) {
        std::cout << "{\"answer\": 42}\n" << std::flush;
        std::cerr << "noise\n";
        (void)!::write(1, "{\"answer\": 43}\n", 15);
        return Json(i);
      },
      with(1));
  ASSERT_TRUE(outcomes);
  EXPECT_EQ((*outcomes)[0].answer, 0);
  EXPECT_EQ((*outcomes)[1].answer, 1);
}

TEST(Isolated, GarbageInTheChannelIsRecordedAsSuch) {
  for (const std::string garbage : {"this is no JSON\n", "\xff\xfe\x00\x01", "[1, 2]\n", "{\"something\": 1}\n"}) {
    const auto outcomes = run_isolated(
        3,
        [&](std::size_t i, const Announce&) {
          if (i == 1) write_to_every_socket(garbage);
          return Json(i);
        },
        with(1));
    ASSERT_TRUE(outcomes);
    EXPECT_EQ((*outcomes)[0].end, End::answered);
    EXPECT_EQ((*outcomes)[1].end, End::garbled) << (*outcomes)[1].reason;
    EXPECT_EQ((*outcomes)[2].end, End::answered) << (*outcomes)[2].reason;
    EXPECT_EQ((*outcomes)[2].answer, 2);
  }
}

TEST(Isolated, TextThatIsNoUtf8Arrives) {
  const auto outcomes = run_isolated(
      1,
      [](std::size_t, const Announce& announce) {
        announce("\xff");
        return Json{{"text", "a\xff z"}};
      },
      with(1));
  ASSERT_TRUE(outcomes);
  ASSERT_EQ((*outcomes)[0].end, End::answered) << (*outcomes)[0].reason;
  EXPECT_THAT((*outcomes)[0].answer["text"].get<std::string>(), HasSubstr(" z"));
}

TEST(Isolated, LargeAnswersArriveWhole) {
  const std::string large(3 << 20, 'x');
  const auto outcomes = run_isolated(4, [&](std::size_t, const Announce&) { return Json(large); }, with(2));
  ASSERT_TRUE(outcomes);
  for (const auto& o : *outcomes) EXPECT_EQ(o.answer, large);
}

TEST(Isolated, AnInterruptEndsTheChildrenAndKeepsWhatCame) {
  volatile std::sig_atomic_t interrupted = 0;
  auto settings = with(1);
  settings.interrupted = &interrupted;
  settings.progress = [&](std::size_t done, std::size_t) {
    if (done == 2) interrupted = 1;
  };
  const auto outcomes = run_isolated(5, [](std::size_t i, const Announce&) { return Json(i); }, settings);
  ASSERT_TRUE(outcomes);
  EXPECT_EQ((*outcomes)[0].end, End::answered);
  EXPECT_EQ((*outcomes)[1].end, End::answered);
  EXPECT_EQ((*outcomes)[4].end, End::stopped);
}

TEST(Isolated, ACrashLeavesNoCoreFileAndNoChild) {
  testing::Folder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.at(""));
  const auto outcomes = run_isolated(2, [](std::size_t, const Announce&) -> Json { fault(); }, with(2));
  std::filesystem::current_path(before);
  ASSERT_TRUE(outcomes);
  EXPECT_TRUE(std::filesystem::is_empty(folder.at("")));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child was left behind";
}

}  // namespace
}  // namespace detbench::catalog
