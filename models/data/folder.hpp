// A folder of images, one folder per class, as flow_from_directory reads it.
#pragma once

#include <filesystem>
#include <memory>

#include "models/data/dataset.hpp"
#include "models/data/resize.hpp"

namespace detbench {

/// Classes are the folders in `root`, sorted by name (bytes); an image's order within its class is that of the sorted walk:
/// the files of a folder by name, then its folders by name. Files end in .jpg, .jpeg or .png in any case. Everything else,
/// symbolic links too, is left out and listed by skipped(). Files are read and decoded when asked for, so a damaged one is
/// read()'s error. Refused: no class folder, or one without an image; a file type whose library this build lacks.
Result<std::unique_ptr<Dataset>> open_image_folder(const std::filesystem::path& root, std::int64_t height, std::int64_t width, ResizeMethod method);

}  // namespace detbench
