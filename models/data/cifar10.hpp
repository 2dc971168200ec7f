// CIFAR-10 in its binary form: data_batch_1.bin .. data_batch_5.bin for training, test_batch.bin
// (https://www.cs.toronto.edu/~kriz/cifar.html). A file is a row of records of 3073 bytes: the label, then 32 x 32 red, green
// and blue values.
#pragma once

#include <filesystem>
#include <memory>

#include "models/data/dataset.hpp"

namespace detbench {

enum class Cifar10Part { training, test };

/// Reads the files of a folder, in the order of their names, into memory (about 150 MB for training). Each must be there
/// whole: at least one, and all that data_batch_*.bin names; refused with path and reason are a file that is empty, longer
/// than 10000 records or no multiple of a record, and a label above 9. batches.meta.txt, where it lies beside, names the
/// classes; else they are CIFAR-10's own.
Result<std::unique_ptr<Dataset>> open_cifar10(const std::filesystem::path& folder, Cifar10Part part);

}  // namespace detbench
