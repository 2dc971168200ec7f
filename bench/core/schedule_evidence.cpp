#include "bench/core/schedule_evidence.hpp"

namespace detbench {

std::unique_ptr<ScheduleEvidence> ScheduleEvidence::make(Device& device, Stream& stream, std::map<std::string, std::string>& notes) {
  auto recorder = ScheduleRecorder::make(device, stream, 8 * device.multiprocessors().count);
  if (!recorder) {
    notes["schedule_idle"] = "not recorded: " + recorder.error().text;
    return nullptr;
  }
  auto idle = (*recorder)->record();
  if (!idle) {
    notes["schedule_idle"] = "not recorded: " + idle.error().text;
    return nullptr;
  }
  std::unique_ptr<ScheduleEvidence> evidence(new ScheduleEvidence(std::move(*recorder), std::move(*idle)));
  evidence->note("idle", notes);
  return evidence;
}

void ScheduleEvidence::note(const std::string& stressor, std::map<std::string, std::string>& notes) {
  const auto schedule = recorder_->record();
  if (!schedule) {
    notes["schedule_" + stressor] = "not recorded: " + schedule.error().text;
    return;
  }
  const auto change = compare_schedules(idle_, *schedule);
  notes["schedule_" + stressor] = "of " + std::to_string(change.blocks) + " blocks " + std::to_string(change.moved) +
                                  " on another multiprocessor and " + std::to_string(change.reordered) +
                                  " at another place in the order than in an idle run";
}

}  // namespace detbench
