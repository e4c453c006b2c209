// Paths: where models, the store and the journal lie when nobody says otherwise.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent::cli {

/// $FACET_HOME, else $XDG_DATA_HOME/facet, else ~/.local/share/facet. unavailable when none of the
/// three is set.
Result<std::filesystem::path> data_folder();
Result<std::filesystem::path> default_store();
Result<std::filesystem::path> default_journal();

/// Folders that are searched for models, in order: the data folder, the two places beside the
/// running program, and the source tree it was built from.
std::vector<std::filesystem::path> model_folders();

enum class ModelKind { generator, embedder };

/// `name` as a file or folder if it exists, else a model of that name in model_folders():
/// NAME.gguf, NAME/generator.gguf (or embedder.gguf), or NAME/ with a config.json. Empty: "pocket".
/// not_found, naming every place that was looked at.
Result<std::filesystem::path> find_model(std::string_view name, ModelKind kind);

/// A model that lies in one of the folders.
struct FoundModel {
  std::string name;  ///< What --model takes.
  std::filesystem::path path;
  std::uintmax_t bytes = 0;
  ModelKind kind = ModelKind::generator;  ///< By its file name.
};
std::vector<FoundModel> list_models();

/// Plugins that came with the program: *.so in plugins/ beside it and in ../lib/facet/plugins.
std::vector<std::filesystem::path> list_plugins();

}  // namespace facet::agent::cli
