#include "bench/core/capture.hpp"

namespace detbench {

Status can_capture(Stream& stream) {
  if (auto begun = stream.begin_capture(); !begun) return begun;
  if (auto ended = stream.end_capture(); !ended) return tl::unexpected(ended.error());
  return {};
}

Result<std::unique_ptr<CapturedWork>> capture_enqueue(PreparedOp& op) {
  if (auto ran = op.run(); !ran) return tl::unexpected(ran.error());
  if (auto done = op.reset(); !done) return tl::unexpected(done.error());
  if (auto done = op.wait(); !done) return tl::unexpected(done.error());
  if (auto begun = op.stream().begin_capture(); !begun) return tl::unexpected(begun.error());
  const auto enqueued = op.enqueue();
  auto work = op.stream().end_capture();
  // An enqueue() that fails while it is being recorded spoils the capture, so its own reason comes first.
  if (!enqueued) return failure("cannot be captured: " + enqueued.error().text, enqueued.error().kind);
  if (!work) return failure("cannot be captured: " + work.error().text, work.error().kind);
  return work;
}

Result<Digest> Replay::run() {
  if (auto done = op_.reset(); !done) return tl::unexpected(done.error());
  if (auto done = work_.enqueue(op_.stream()); !done) return tl::unexpected(done.error());
  if (auto done = op_.wait(); !done) return tl::unexpected(done.error());
  return op_.digest();
}

}  // namespace detbench
