#include "bench/workers/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace detbench {
namespace {

std::string self_path() {
  std::string path(4096, '\0');
  const auto n = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return path;
}

using Variables = std::vector<std::pair<std::string, std::string>>;

/// The caller's environment with the worker's settings and then `further` ones on top.
std::vector<std::string> environment(const Variables& further) {
  std::vector<std::string> all;
  auto set = worker_environment();
  set.insert(set.end(), further.begin(), further.end());
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string entry = *e;
    bool replaced = false;
    for (const auto& [name, value] : set) replaced |= entry.rfind(name + "=", 0) == 0;
    if (!replaced) all.push_back(entry);
  }
  for (const auto& [name, value] : set) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> p;
  for (auto& s : strings) p.push_back(s.data());
  p.push_back(nullptr);
  return p;
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& worker_environment() {
  // No OMP_PROC_BIND: libgomp would bind the initial thread when it is loaded, and every std::thread, TBB worker and
  // stressor would inherit that one-core mask. A bounded spin, because passive waiting makes short ops slower on two
  // threads than on one, and unbounded spinning starves them on a busy machine (facts: models, section 16).
  static const std::vector<std::pair<std::string, std::string>> settings{
      {"OMP_DYNAMIC", "false"}, {"OMP_MAX_ACTIVE_LEVELS", "1"}, {"GOMP_SPINCOUNT", "10000"}};
  return settings;
}

Status LineChannel::send(const Json& message) {
  std::string line = message.dump() + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const auto n = ::send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failure(std::string("the other side of the worker channel is gone: ") + std::strerror(errno));
    sent += static_cast<std::size_t>(n);
  }
  return {};
}

LineChannel::Wait LineChannel::receive(Json& message, double timeout_s, const volatile std::sig_atomic_t* interrupted) {
  using Clock = std::chrono::steady_clock;
  const auto in = [](double seconds) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  };
  auto end = in(timeout_s);
  bool hurried = false;
  for (;;) {
    if (const auto newline = pending_.find('\n'); newline != std::string::npos) {
      message = Json::parse(pending_.substr(0, newline), nullptr, false);
      pending_.erase(0, newline + 1);
      return message.is_discarded() ? Wait::closed : Wait::message;
    }
    if (!hurried && interrupted != nullptr && *interrupted != 0) {
      hurried = true;
      end = timeout_s < 0 ? in(interrupt_grace_s) : std::min(end, in(interrupt_grace_s));
    }
    // A signal may come between the question above and poll(), which then would not return for it.
    long long wait_ms = interrupted != nullptr ? 500 : 60'000;
    if (timeout_s >= 0 || hurried) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left < 0) return Wait::timeout;
      wait_ms = std::min<long long>(left + 1, wait_ms);
    }
    pollfd poll_fd{fd_, POLLIN, 0};
    const int ready = poll(&poll_fd, 1, static_cast<int>(wait_ms));
    if (ready < 0 && errno != EINTR) return Wait::closed;
    if (ready <= 0) continue;
    char buffer[65536];
    const auto n = read(fd_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Wait::closed;
    pending_.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<std::unique_ptr<Worker>> Worker::start(const WorkerSettings& settings) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failure(std::string("no channel to a worker: ") + std::strerror(errno));
  // Everything that allocates happens before fork: the child may only call async-signal-safe functions.
  std::vector<std::string> arguments{self_path(), "worker"};
  arguments.insert(arguments.end(), settings.arguments.begin(), settings.arguments.end());
  auto environment_strings = environment(settings.environment);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment_strings);
  const std::string log = settings.log.empty() ? "/dev/null" : settings.log.string();
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return failure(std::string("no worker process: ") + std::strerror(errno));
  }
  if (pid == 0) {
    setpgid(0, 0);  // an interrupt at the terminal reaches the parent alone, which finishes its row
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = open("/dev/null", O_RDONLY);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (null >= 0) dup2(null, 0);
    if (out >= 0) {
      dup2(out, 1);
      dup2(out, 2);
    }
    // dup2 onto itself would keep close-on-exec.
    if (ends[1] == worker_channel_fd) {
      fcntl(worker_channel_fd, F_SETFD, 0);
    } else {
      dup2(ends[1], worker_channel_fd);
    }
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(ends[1]);
  return std::unique_ptr<Worker>(new Worker(pid, ends[0], settings.interrupted));
}

Worker::~Worker() {
  if (pid_ > 0) bury(true, 0);
  close(channel_.fd());
}

void Worker::finish() {
  if (pid_ <= 0) return;
  shutdown(channel_.fd(), SHUT_RDWR);
  for (int i = 0; i < 200; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) {
      pid_ = -1;
      return;
    }
    usleep(5000);
  }
  bury(true, 0);
}

WorkerEnd Worker::bury(bool timed_out, double timeout_s) {
  if (timed_out) kill(-pid_, SIGKILL);
  int state = 0;
  while (waitpid(pid_, &state, 0) < 0 && errno == EINTR) {
  }
  kill(-pid_, SIGKILL);  // whatever the worker itself had started
  pid_ = -1;
  if (timed_out)
    return {RunStatus::timed_out, "no answer within " + std::to_string(static_cast<int>(timeout_s)) + " s: the watchdog ended the worker"};
  if (WIFSIGNALED(state)) {
    const int signal = WTERMSIG(state);
    // The kernel's out-of-memory killer sends SIGKILL; nobody else here does without timed_out.
    if (signal == SIGKILL) return {RunStatus::out_of_memory, "the kernel killed the worker (SIGKILL): most likely out of memory"};
    return {RunStatus::crashed, std::string("the worker died: ") + strsignal(signal)};
  }
  return {RunStatus::crashed, "the worker ended with exit code " + std::to_string(WEXITSTATUS(state)) + " before it answered"};
}

tl::expected<Json, WorkerEnd> Worker::next(double timeout_s) {
  if (pid_ <= 0) return tl::unexpected(WorkerEnd{RunStatus::crashed, "the worker is gone"});
  Json reply;
  switch (channel_.receive(reply, timeout_s, interrupted_)) {
    case LineChannel::Wait::message: return reply;
    case LineChannel::Wait::timeout: return tl::unexpected(bury(true, timeout_s));
    case LineChannel::Wait::closed: break;
  }
  return tl::unexpected(bury(false, timeout_s));
}

tl::expected<Json, WorkerEnd> Worker::ask(const Json& request, double timeout_s) {
  if (pid_ <= 0) return tl::unexpected(WorkerEnd{RunStatus::crashed, "the worker is gone"});
  if (!channel_.send(request)) return tl::unexpected(bury(false, timeout_s));
  return next(timeout_s);
}

}  // namespace detbench
