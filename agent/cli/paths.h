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

/// Where Python's huggingface_hub keeps things: $HF_HOME, else huggingface/ in $XDG_CACHE_HOME,
/// else in ~/.cache. FACET_HOME does not move it: it is shared with other programs. unavailable
/// when none of the three is set.
Result<std::filesystem::path> hub_home();
/// Its cache of models: $HF_HUB_CACHE, else hub/ in hub_home().
Result<std::filesystem::path> hub_cache();

/// Folders that are searched for models, in order: the data folder, the two places beside the
/// running program, and the source tree it was built from.
std::vector<std::filesystem::path> model_folders();

enum class ModelKind { generator, embedder };

/// `name` as a file or folder if it exists, else a model of that name in model_folders():
/// NAME.gguf, NAME/generator.gguf (or embedder.gguf), or NAME/ with a config.json;
/// OWNER/NAME[:FILE] is a model of a hub that `facet pull` has brought into the cache. Empty:
/// "pocket". not_found, naming every place that was looked at; for OWNER/NAME[:FILE] the error of
/// hub::find_cached.
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
