// Evidence that a stressor changes the schedule of a GPU, as notes of a row.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/device/stress.hpp"

namespace detbench {

class ScheduleEvidence {
 public:
  /// Records the idle schedule twice, of eight blocks per multiprocessor, and notes by how much they differ
  /// ("schedule_idle"). nullptr, and the reason as that note, where it cannot be recorded.
  static std::unique_ptr<ScheduleEvidence> make(Device& device, Stream& stream, std::map<std::string, std::string>& notes);
  /// "schedule_<stressor>": how many blocks began on another multiprocessor, and in another order, than in the idle run.
  void note(const std::string& stressor, std::map<std::string, std::string>& notes);

 private:
  ScheduleEvidence(std::unique_ptr<ScheduleRecorder> recorder, BlockSchedule idle) : recorder_(std::move(recorder)), idle_(std::move(idle)) {}
  std::unique_ptr<ScheduleRecorder> recorder_;
  BlockSchedule idle_;
};

}  // namespace detbench
