// A model of a Hugging Face folder as a GGUF file says it: metadata and tensor names in the layout
// of llama.cpp's converter, so that any reader of Gemma files takes it.
#pragma once

#include "base/result.h"
#include "engine/model/model_source.h"
#include "engine/model/tensor_table.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace facet::engine {

/// A tensor to be written: where its values lie, and what is done to them on the way.
struct GgufTensorPlan {
  std::string name;
  StoredTensor source;
  float offset = 0.0F;  ///< Added to each value: 1 for norms that are stored as w of (1 + w).
};

/// The parts of a file to be written. The tensors borrow what `source` borrows.
struct GgufPlan {
  std::string metadata;  ///< Keys and values as they go into the file, without general.file_type.
  std::uint64_t metadata_count = 0;
  std::vector<GgufTensorPlan> tensors;
  /// Tensors that have no place in it: those of the vision tower, which llama.cpp keeps in a file
  /// of its own (mmproj).
  std::int64_t left_out = 0;
};

/// Plans a file for `source`, which comes from a folder and has its tokenizer. Rows of the
/// embedding behind the tokenizer's pieces, placeholders of multimodal files, are left out, as
/// llama.cpp does. unsupported naming what no key can say (more stop tokens than eos, end of turn
/// and one more); invalid_data for a tensor that is missing.
Result<GgufPlan> plan_gguf(const ModelSource& source);

/// That `written`, read back from the new file, computes what `source` computes: the same config
/// but for the name. unsupported naming the field that the file does not keep.
Status check_export(const ModelConfig& source, const ModelConfig& written);

}  // namespace facet::engine
