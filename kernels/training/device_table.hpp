// A table that a kernel reads while it runs, in device memory of its op's own: pointers to many tensors do not fit a
// launch's arguments. Written when the op is bound, never by a run. Included by .cu files alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/device/device.hpp"

namespace detbench::training {

template <class Row>
Result<std::shared_ptr<Buffer>> make_device_table(const std::vector<Row>& rows, Device& device, Stream& stream) {
  const std::size_t bytes = rows.size() * sizeof(Row);
  auto buffer = device.allocate(std::max<std::size_t>(bytes, sizeof(Row)), alignof(std::max_align_t));
  if (!buffer) return tl::unexpected(buffer.error());
  if (bytes > 0)
    if (auto s = device.copy_from_host({(*buffer)->region().data, bytes}, rows.data(), stream); !s) return tl::unexpected(s.error());
  return std::shared_ptr<Buffer>(std::move(*buffer));
}

template <class Row>
const Row* rows_of(const std::shared_ptr<Buffer>& table) {
  return static_cast<const Row*>(table->region().data);
}

}  // namespace detbench::training
