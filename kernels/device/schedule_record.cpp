// The host's half of the evidence that a schedule changed.
#include <algorithm>

#include "kernels/device/schedule_record.hpp"
#include "kernels/device/stress.hpp"

namespace detbench {

Result<std::unique_ptr<ScheduleRecorder>> ScheduleRecorder::make(Device& device, Stream& stream, int blocks) {
  if (device.kind() != DeviceKind::cuda) return unsupported("only a GPU's blocks have multiprocessors and tickets");
  if (blocks < 1) return invalid_input("a schedule of " + std::to_string(blocks) + " blocks cannot be recorded");
  auto memory = device.allocate((2 * static_cast<std::size_t>(blocks) + 1) * sizeof(std::uint32_t), sizeof(std::uint32_t));
  if (!memory) return tl::unexpected(memory.error());
  std::unique_ptr<ScheduleRecorder> recorder(new ScheduleRecorder(device, stream, blocks, std::move(*memory)));
  if (auto first = recorder->record(); !first) return tl::unexpected(first.error());
  return recorder;
}

Result<BlockSchedule> ScheduleRecorder::record() {
  const auto count = static_cast<std::size_t>(blocks_);
  auto* words = static_cast<std::uint32_t*>(memory_->region().data);
  if (auto done = device_.poison(memory_->region(), Poison::zero, 0, stream_); !done) return tl::unexpected(done.error());
  if (auto done = enqueue_schedule_record(stream_, words, words + count, words + 2 * count, blocks_); !done)
    return tl::unexpected(done.error());
  std::vector<std::uint32_t> host(2 * count);
  if (auto done = device_.copy_to_host(host.data(), {words, host.size() * sizeof(std::uint32_t)}, stream_); !done)
    return tl::unexpected(done.error());
  const auto middle = host.begin() + blocks_;
  return BlockSchedule{{host.begin(), middle}, {middle, host.end()}};
}

ScheduleChange compare_schedules(const BlockSchedule& a, const BlockSchedule& b) {
  ScheduleChange change;
  change.blocks = static_cast<int>(std::min(a.ticket.size(), b.ticket.size()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(change.blocks); ++i) {
    change.moved += a.multiprocessor[i] != b.multiprocessor[i];
    change.reordered += a.ticket[i] != b.ticket[i];
  }
  return change;
}

}  // namespace detbench
