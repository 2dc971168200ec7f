// A worker process and the line of JSON messages to it. The parent holds one end, the worker finds the other as file
// descriptor 3; what libraries print on stdout and stderr goes to the log file and never into the protocol.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/records/record.hpp"

namespace detbench {

inline constexpr int worker_channel_fd = 3;

/// After an interrupt an arm has this long to finish; one that takes longer is given up and measured when the run is
/// resumed, so that no arm holds the exit for minutes.
inline constexpr double interrupt_grace_s = 5;

/// How a worker ended, in words a row can carry.
struct WorkerEnd {
  RunStatus status = RunStatus::crashed;  ///< crashed or timed_out or out_of_memory
  std::string reason;
};

/// Newline-separated JSON over a file descriptor.
class LineChannel {
 public:
  explicit LineChannel(int fd) : fd_(fd) {}
  Status send(const Json& message);
  enum class Wait { message, timeout, closed };
  /// Waits up to `timeout_s` for one whole line (negative: for ever). A line that is not JSON counts as closed. Once
  /// `interrupted` is set, silence ends after interrupt_grace_s.
  Wait receive(Json& message, double timeout_s, const volatile std::sig_atomic_t* interrupted = nullptr);
  int fd() const { return fd_; }

 private:
  int fd_;
  std::string pending_;
};

struct WorkerSettings {
  std::vector<std::string> arguments;   ///< after "detbench worker"
  std::filesystem::path log;            ///< stdout and stderr of the worker are appended here
  const volatile std::sig_atomic_t* interrupted = nullptr;  ///< set when the user wants to stop; outlives the worker
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< set beside worker_environment()
};

/// A child process of this same program. Killed with its whole process group when the object goes, and by the kernel
/// when the parent dies.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> start(const WorkerSettings& settings);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Sends a request and waits for one reply. On silence past `timeout_s`, or when the worker dies, the worker is gone
  /// and the end says how. Once interrupted, silence is accepted for interrupt_grace_s only.
  tl::expected<Json, WorkerEnd> ask(const Json& request, double timeout_s);
  tl::expected<Json, WorkerEnd> next(double timeout_s);
  bool alive() const { return pid_ > 0; }
  /// Lets the worker leave by itself (its channel closes), then reaps it.
  void finish();

 private:
  Worker(pid_t pid, int fd, const volatile std::sig_atomic_t* interrupted) : pid_(pid), channel_(fd), interrupted_(interrupted) {}
  WorkerEnd bury(bool timed_out, double timeout_s);
  pid_t pid_;
  LineChannel channel_;
  const volatile std::sig_atomic_t* interrupted_;
};

/// The environment every worker starts with, whatever the caller's: libgomp reads its policy at load (METHOD section
/// 7). Recorded in the manifest.
const std::vector<std::pair<std::string, std::string>>& worker_environment();

}  // namespace detbench
