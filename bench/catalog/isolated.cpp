#include "bench/catalog/isolated.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>

#include "bench/workers/channel.hpp"

namespace detbench::catalog {
namespace {

using Clock = std::chrono::steady_clock;
using End = IsolatedOutcome::End;

/// A library's text may be any bytes; the channel's JSON must be UTF-8.
Json clean(const Json& value) { return Json::parse(value.dump(-1, ' ', false, Json::error_handler_t::replace)); }

/// The child's life: one task after another until the parent closes the channel.
[[noreturn]] void serve(int fd, const IsolatedTask& task) {
  // No stop at the terminal's interrupt: the parent decides. No child outlives it, no crash leaves a core file behind.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (int signal : {SIGINT, SIGTERM, SIGPIPE}) std::signal(signal, SIG_DFL);
  if (const int null = open("/dev/null", O_RDWR); null >= 0)
    for (int standard : {0, 1, 2}) dup2(null, standard);
  LineChannel channel(fd);
  Json request;
  while (channel.receive(request, -1) == LineChannel::Wait::message) {
    const auto announce = [&](const std::string& step) {
      if (!channel.send(clean({{"step", step}}))) _exit(1);
    };
    try {
      const Json answer = task(request.at("task").get<std::size_t>(), announce);
      if (!channel.send({{"answer", clean(answer)}})) _exit(1);
    } catch (const std::exception& error) {
      if (!channel.send(clean({{"exception", error.what()}}))) _exit(1);
    }
  }
  _exit(0);
}

class Child {
 public:
  /// nullptr: no process or channel is to be had; errno says why.
  static std::unique_ptr<Child> start(const IsolatedTask& task) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return nullptr;
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      serve(ends[1], task);
    }
    close(ends[1]);
    if (pid < 0) {
      close(ends[0]);
      return nullptr;
    }
    setpgid(pid, pid);  // here too: whichever of the two comes first, kill() below finds the group
    return std::unique_ptr<Child>(new Child(pid, ends[0]));
  }
  ~Child() {
    kill(-pid_, SIGKILL);
    reap();
    close(channel_.fd());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool begin(std::size_t task, double timeout_s) {
    task_ = task;
    busy_ = true;
    step_.clear();
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s));
    return channel_.send({{"task", task}}).has_value();
  }
  void done() { busy_ = false; }
  bool busy() const { return busy_; }
  std::size_t task() const { return task_; }
  int fd() const { return channel_.fd(); }
  Clock::time_point deadline() const { return deadline_; }
  const std::string& step() const { return step_; }
  void remember(std::string step) { step_ = std::move(step); }
  LineChannel& channel() { return channel_; }

  /// How a child ended that closed its channel by itself; one that goes on without it is ended after a second.
  std::string last_words() {
    for (int i = 0; i < 100 && !reaped_; ++i) {
      reaped_ = waitpid(pid_, &state_, WNOHANG) != 0;
      if (!reaped_) usleep(10'000);
    }
    if (!reaped_) kill(-pid_, SIGKILL);
    const int state = reap();
    if (WIFSIGNALED(state))
      return "died of signal " + std::to_string(WTERMSIG(state)) + " (" + strsignal(WTERMSIG(state)) + ")";
    return "ended with exit code " + std::to_string(WEXITSTATUS(state)) + " before it answered";
  }

 private:
  Child(pid_t pid, int fd) : pid_(pid), channel_(fd) {}
  int reap() {
    if (!reaped_)
      while (waitpid(pid_, &state_, 0) < 0 && errno == EINTR) {
      }
    reaped_ = true;
    return state_;
  }
  pid_t pid_;
  LineChannel channel_;
  std::size_t task_ = 0;
  bool busy_ = false, reaped_ = false;
  int state_ = 0;
  std::string step_;
  Clock::time_point deadline_;
};

class Pool {
 public:
  Pool(std::size_t tasks, const IsolatedTask& task, const IsolationSettings& settings)
      : task_(task), settings_(settings), outcomes_(tasks), children_(std::clamp<std::size_t>(static_cast<std::size_t>(std::max(1, settings.jobs)), 1, std::max<std::size_t>(1, tasks))) {}

  Result<std::vector<IsolatedOutcome>> run() {
    while (done_ < outcomes_.size() && !interrupted()) {
      if (auto fed = feed(); !fed) return tl::unexpected(fed.error());
      if (auto waited = wait(); !waited) return tl::unexpected(waited.error());
    }
    return std::move(outcomes_);
  }

 private:
  bool interrupted() const { return settings_.interrupted != nullptr && *settings_.interrupted != 0; }

  /// Every idle child gets a task, as long as there are any.
  Status feed() {
    for (auto& child : children_) {
      if (next_ == outcomes_.size()) break;
      if (child && child->busy()) continue;
      if (!child) child = Child::start(task_);
      if (!child) {
        const bool others = std::any_of(children_.begin(), children_.end(), [](const auto& c) { return c && c->busy(); });
        if (others) continue;
        return failure(std::string("no child process: ") + std::strerror(errno));
      }
      // One that died between two tasks must not take the next one with it.
      if (!child->begin(next_, settings_.timeout_s) && (child = Child::start(task_)) != nullptr) child->begin(next_, settings_.timeout_s);
      if (child) ++next_;
    }
    return {};
  }

  Status wait() {
    std::vector<pollfd> fds;
    auto deadline = Clock::now() + std::chrono::milliseconds(500);  // an interrupt is noticed within this time
    for (const auto& child : children_) {
      if (!child || !child->busy()) continue;
      fds.push_back({child->fd(), POLLIN, 0});
      deadline = std::min(deadline, child->deadline());
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (poll(fds.data(), fds.size(), static_cast<int>(std::max<long long>(0, left + 1))) < 0 && errno != EINTR)
      return failure(std::string("cannot wait for child processes: ") + std::strerror(errno));
    for (auto& child : children_)
      if (child && child->busy()) listen(child, std::any_of(fds.begin(), fds.end(), [&](const pollfd& p) { return p.fd == child->fd() && p.revents != 0; }));
    return {};
  }

  /// Takes all that a child has said so far.
  void listen(std::unique_ptr<Child>& child, bool readable) {
    while (readable) {
      Json message;
      const auto got = child->channel().receive(message, 0);
      if (got == LineChannel::Wait::timeout) break;
      if (got == LineChannel::Wait::closed) return bury(child);
      if (message.is_object() && message.contains("step") && message["step"].is_string()) {
        child->remember(message["step"].get<std::string>());
      } else if (message.is_object() && message.contains("answer")) {
        finish(*child, {End::answered, std::move(message["answer"]), "", child->step()});
        child->done();
        return;
      } else if (message.is_object() && message.contains("exception")) {
        finish(*child, {End::crashed, nullptr, "failed: " + message["exception"].dump(), child->step()});
        child->done();
        return;
      } else {
        finish(*child, {End::garbled, nullptr, "answered with something else than an answer", child->step()});
        child.reset();
        return;
      }
    }
    if (Clock::now() < child->deadline()) return;
    finish(*child, {End::timed_out, nullptr, "no answer within " + std::to_string(static_cast<long>(settings_.timeout_s)) + " s", child->step()});
    child.reset();
  }

  /// The channel closed, or held a line that is not JSON; a child that still runs after the latter is ended.
  void bury(std::unique_ptr<Child>& child) {
    char byte = 0;
    const auto more = recv(child->fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    const bool open = more > 0 || (more < 0 && (errno == EAGAIN || errno == EINTR));
    if (open) finish(*child, {End::garbled, nullptr, "answered with something else than an answer", child->step()});
    else finish(*child, {End::crashed, nullptr, child->last_words(), child->step()});
    child.reset();
  }

  void finish(const Child& child, IsolatedOutcome outcome) {
    outcomes_[child.task()] = std::move(outcome);
    ++done_;
    if (settings_.progress) settings_.progress(done_, outcomes_.size());
  }

  const IsolatedTask& task_;
  const IsolationSettings& settings_;
  std::vector<IsolatedOutcome> outcomes_;
  std::vector<std::unique_ptr<Child>> children_;
  std::size_t next_ = 0, done_ = 0;
};

}  // namespace

Result<std::vector<IsolatedOutcome>> run_isolated(std::size_t tasks, const IsolatedTask& task, const IsolationSettings& settings) {
  return Pool(tasks, task, settings).run();
}

}  // namespace detbench::catalog
