// safetensors: a u64 header length, a JSON header {"name": {"dtype", "shape", "data_offsets":
// [begin, end]}, ..., "__metadata__": {"key": "text"}}, and the data.
#pragma once

#include "base/mapped_file.h"
#include "base/result.h"
#include "engine/model/tensor_table.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace facet::engine {

struct SafetensorsLimits {
  std::uint64_t header_bytes_max = 16U << 20U;  ///< tensors_max of them take less.
  std::size_t text_bytes_max = 1U << 20U;       ///< A metadata value at most.
  std::size_t tensors_max = 16384;              ///< Of a folder's index too; 27B has 1,247.
  std::size_t name_bytes_max = 1024;
  std::size_t dims_max = 8;
  std::size_t shards_max = 1024;
};

/// Adds the tensors of one file to `table`, their names behind `prefix`; the views point into
/// `bytes`. invalid_data for anything that breaks the format: a header that is not one JSON object
/// of the form above (repeated names and keys included), data that overlaps, leaves holes or does
/// not fill the file, sizes that disagree with the shape. unsupported for a type other than F32,
/// F16 and BF16, limit_exceeded beyond `limits`. The message names the tensor and the value.
Status read_safetensors(std::span<const std::byte> bytes,
                        std::string_view prefix,
                        TensorTable& table,
                        const SafetensorsLimits& limits = {});

/// All tensors of a folder: model.safetensors.index.json with its shards, or model.safetensors.
/// Shards must be plain file names in the folder; the index must name exactly the tensors that they
/// hold, each once. The mapped files go to `files`, which must outlive `table`.
Status read_safetensors_folder(const std::filesystem::path& folder,
                               TensorTable& table,
                               std::vector<MappedFile>& files,
                               const SafetensorsLimits& limits = {});

}  // namespace facet::engine
