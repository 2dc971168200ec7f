// The kernel behind ScheduleRecorder (kernels/device/stress.hpp).
#pragma once

#include <cstdint>

#include "kernels/device/device.hpp"

namespace detbench {

/// Block b writes multiprocessor[b] and ticket[b]; `counter` is 0 before. All three in device memory.
Status enqueue_schedule_record(Stream& stream, std::uint32_t* multiprocessor, std::uint32_t* ticket, std::uint32_t* counter,
                               int blocks);

}  // namespace detbench
