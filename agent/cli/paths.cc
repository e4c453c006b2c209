#include "agent/cli/paths.h"

#include "agent/hub/pull.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

namespace facet::agent::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kDefaultModel = "pocket";
constexpr int kEntriesMax = 1000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string_view file_of(ModelKind kind) {
  return kind == ModelKind::generator ? "generator.gguf" : "embedder.gguf";
}

/// "~/x" as the Python side reads it from its variables.
fs::path without_tilde(const std::string& path) {
  const std::string home = environment("HOME");
  return path.starts_with("~/") && !home.empty() ? fs::path(home) / path.substr(2) : fs::path(path);
}

/// OWNER/NAME[:FILE], unless it is rather the path of a file that is not there.
std::optional<hub::ModelName> hub_name(std::string_view text) {
  auto name = hub::parse_model_name(text);
  const fs::path extension = fs::path(text).extension();
  const bool is_file = extension == ".gguf" || extension == ".safetensors" || extension == ".model";
  if (!name || (is_file && name->file.empty())) return std::nullopt;
  return *name;
}

/// Adds what lies in the folder of one model.
void add_folder(const fs::path& folder, std::vector<FoundModel>& models) {
  std::error_code error;
  const std::string name = folder.filename().string();
  for (const ModelKind kind : {ModelKind::generator, ModelKind::embedder}) {
    const fs::path file = folder / file_of(kind);
    const auto bytes = fs::file_size(file, error);
    if (!error) models.push_back({.name = name, .path = file, .bytes = bytes, .kind = kind});
  }
  if (is_there(folder / "config.json")) models.push_back({.name = name, .path = folder});
}

}  // namespace

Result<fs::path> data_folder() {
  if (const std::string home = environment("FACET_HOME"); !home.empty()) return fs::path(home);
  if (const std::string data = environment("XDG_DATA_HOME"); !data.empty()) {
    return fs::path(data) / "facet";
  }
  if (const std::string home = environment("HOME"); !home.empty()) {
    return fs::path(home) / ".local" / "share" / "facet";
  }
  return Error{Code::unavailable, "none of FACET_HOME, XDG_DATA_HOME and HOME is set"};
}

Result<fs::path> default_store() {
  FACET_TRY(const fs::path data, data_folder());
  return data / "store";
}

Result<fs::path> default_journal() {
  FACET_TRY(const fs::path data, data_folder());
  return data / "journal.sqlite";
}

Result<fs::path> hub_home() {
  if (const std::string home = environment("HF_HOME"); !home.empty()) return without_tilde(home);
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    return fs::path(cache) / "huggingface";
  }
  if (const std::string home = environment("HOME"); !home.empty()) {
    return fs::path(home) / ".cache" / "huggingface";
  }
  return Error{Code::unavailable, "none of HF_HOME, XDG_CACHE_HOME and HOME is set"};
}

Result<fs::path> hub_cache() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) {
    return without_tilde(cache);
  }
  FACET_TRY(const fs::path home, hub_home());
  return home / "hub";
}

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  if (const auto data = data_folder()) folders.push_back(*data / "models");
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    folders.push_back(program.parent_path().parent_path() / "models");
    folders.push_back(program.parent_path().parent_path() / "share" / "facet" / "models");
  }
  folders.emplace_back(FACET_MODELS_DIR);
  // The same folder may be found in two ways.
  std::vector<fs::path> distinct;
  for (const fs::path& folder : folders) {
    const fs::path real = fs::weakly_canonical(folder, error);
    const fs::path& shown = error ? folder : real;
    if (std::find(distinct.begin(), distinct.end(), shown) == distinct.end()) {
      distinct.push_back(shown);
    }
  }
  return distinct;
}

Result<fs::path> find_model(std::string_view name, ModelKind kind) {
  const bool is_default = name.empty();
  if (is_default) name = kDefaultModel;
  const fs::path given(name);
  if (!is_default && is_there(given)) {
    const fs::path inside = given / file_of(kind);
    return is_there(inside) ? inside : given;
  }
  if (const auto model = hub_name(name)) {
    FACET_TRY(const fs::path cache, hub_cache());
    auto found = hub::find_cached(cache, *model);
    if (found) return found->model;
    return found.error().with_context("no file '" + std::string(name) + "'");
  }
  std::string tried = "'" + std::string(name) + "'";
  const bool is_plain_name = given.filename() == given && name != "." && name != "..";
  if (is_plain_name) {
    for (const fs::path& folder : model_folders()) {
      for (const fs::path& candidate :
           {folder / given / file_of(kind), folder / (std::string(name) + ".gguf")}) {
        if (is_there(candidate)) return candidate;
      }
      if (is_there(folder / given / "config.json")) return folder / given;
      tried += ", '" + (folder / given).string() + "'";
    }
  }
  return Error{Code::not_found,
               std::string(kind == ModelKind::generator ? "model" : "embedder") +
                   " not found: looked at " + tried};
}

std::vector<FoundModel> list_models() {
  std::vector<FoundModel> models;
  for (const fs::path& folder : model_folders()) {
    std::error_code error;
    int entries = 0;
    for (fs::directory_iterator it(folder, error), end;
         !error && it != end && entries < kEntriesMax;
         it.increment(error), ++entries) {
      std::error_code type_error;
      const fs::path path = it->path();
      if (it->is_directory(type_error)) {
        add_folder(path, models);
      } else if (path.extension() == ".gguf") {
        models.push_back(
            {.name = path.stem().string(), .path = path, .bytes = it->file_size(type_error)});
      }
    }
  }
  std::sort(models.begin(), models.end(), [](const FoundModel& a, const FoundModel& b) {
    return a.path < b.path;
  });
  return models;
}

std::vector<fs::path> list_plugins() {
  std::vector<fs::path> plugins;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return plugins;
  const fs::path beside = program.parent_path();
  for (const fs::path& folder :
       {beside / "plugins", beside.parent_path() / "lib" / "facet" / "plugins"}) {
    int entries = 0;
    std::error_code walk_error;
    for (fs::directory_iterator it(folder, walk_error), end;
         !walk_error && it != end && entries < kEntriesMax;
         it.increment(walk_error), ++entries) {
      if (it->path().extension() == ".so") plugins.push_back(it->path());
    }
  }
  std::sort(plugins.begin(), plugins.end());
  return plugins;
}

}  // namespace facet::agent::cli
