// Which files of a repository make up a model.
#pragma once

#include "agent/hub/listing.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace facet::agent::hub {

/// Files to fetch, and which of them --model and --mmproj take.
struct Selection {
  std::vector<HubFile> files;
  std::string model;   ///< A file; empty: the folder itself.
  std::string mmproj;  ///< A file; empty: none.
};

/// What `name.file` means among `files`:
///  - empty: the folder, when it has a config.json and .safetensors files; else the only GGUF file;
///  - the path of a file: that file;
///  - the name of a quantisation: the only GGUF file with it in its name, in either case.
/// A vision tower (mmproj in its name) counts as a GGUF model only by its own path; with
/// `with_mmproj` the only one is taken too, the one named F16 where there are several.
/// invalid_argument, listing the choices with their sizes, where several fit; not_found, listing
/// them, where none does; unsupported for a repository without a model and for a GGUF in parts.
Result<Selection> select_files(const ModelName& name,
                               const std::vector<HubFile>& files,
                               bool with_mmproj);

/// "1.5 GiB"; "unknown size" below 0.
std::string size_text(std::int64_t bytes);

}  // namespace facet::agent::hub
