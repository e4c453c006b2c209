#include "agent/hub/selection.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace facet::agent::hub {

namespace {

constexpr std::size_t kChoicesShownMax = 50;

using Pointers = std::vector<const HubFile*>;

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_gguf(const HubFile& file) {
  return ascii_lower(file.path).ends_with(".gguf");
}

bool is_mmproj(const HubFile& file) {
  return ascii_lower(file_name(file.path)).find("mmproj") != std::string::npos;
}

/// NAME-00001-of-00003.gguf.
bool is_part(const HubFile& file) {
  const std::string name = ascii_lower(file_name(file.path));
  const std::size_t of = name.rfind("-of-");
  return of != std::string::npos && name.size() == of + std::string_view("-of-00003.gguf").size();
}

/// `word` stands in `path` between letters of neither kind: "q4_0" in "a-q4_0.gguf", and not "q4_0"
/// in "a-iq4_0.gguf" or "q4_k" in "a-q4_k_m.gguf".
bool has_word(std::string_view path, std::string_view word) {
  const auto is_joined = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (std::size_t at = path.find(word); at != std::string_view::npos;
       at = path.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_joined(path[at - 1]);
    if (begins && (end == path.size() || !is_joined(path[end]))) return true;
  }
  return false;
}

/// A file of a model folder: weights, configuration and tokenizer, at the top or in the folder of a
/// module of an embedder ("2_Dense").
bool is_folder_file(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash != std::string_view::npos) {
    const bool is_module = path[0] >= '0' && path[0] <= '9' && path.find('_') < slash &&
                           path.find('/', slash + 1) == std::string_view::npos;
    if (!is_module) return false;
  }
  const std::string_view name = file_name(path);
  constexpr std::array<std::string_view, 4> kEnds{".json", ".safetensors", ".jinja", ".model"};
  return name.starts_with("tokenizer") ||
         std::any_of(kEnds.begin(), kEnds.end(), [&](auto end) { return name.ends_with(end); });
}

std::string choices_text(const Pointers& choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size() && i < kChoicesShownMax; ++i) {
    out += (i == 0 ? "" : ", ") + choices[i]->path + " (" + size_text(choices[i]->bytes) + ")";
  }
  if (choices.size() > kChoicesShownMax) {
    out += " and " + std::to_string(choices.size() - kChoicesShownMax) + " more";
  }
  return out;
}

Result<const HubFile*> only_one(const ModelName& name,
                                const Pointers& choices,
                                const Pointers& all) {
  if (choices.size() == 1) return choices.front();
  if (choices.empty()) {
    return Error{Code::not_found,
                 "'" + name.repository() + "' has no file for '" + name.file + "'" +
                     (all.empty() ? "" : "; it has " + choices_text(all))};
  }
  return Error{Code::invalid_argument,
               "'" + name.text() + "' could be one of " + std::to_string(choices.size()) +
                   " files; say which, as " + name.repository() +
                   ":FILE: " + choices_text(choices)};
}

/// The GGUF file that `name.file` means.
Result<const HubFile*> choose_gguf(const ModelName& name, const Pointers& models) {
  if (name.file.empty()) return only_one(name, models, models);
  Pointers fitting;
  const std::string word = ascii_lower(name.file);
  for (const HubFile* file : models) {
    if (has_word(ascii_lower(file->path), word)) fitting.push_back(file);
  }
  return only_one(name, fitting, models);
}

Result<const HubFile*> choose_mmproj(const ModelName& name, const Pointers& towers) {
  if (towers.empty()) {
    return Error{Code::not_found,
                 "'" + name.repository() + "' has no GGUF with mmproj in its name"};
  }
  Pointers f16;
  for (const HubFile* file : towers) {
    if (has_word(ascii_lower(file->path), "f16")) f16.push_back(file);
  }
  return only_one({.owner = name.owner, .name = name.name, .file = "mmproj"},
                  towers.size() > 1 && f16.size() == 1 ? f16 : towers,
                  towers);
}

Result<Selection> whole_folder(const std::vector<HubFile>& files) {
  Selection out;
  for (const HubFile& file : files) {
    if (is_folder_file(file.path)) out.files.push_back(file);
  }
  return out;
}

}  // namespace

std::string size_text(std::int64_t bytes) {
  if (bytes < 0) return "unknown size";
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<std::string_view, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  std::int64_t whole = bytes;
  // As tenths, so that no digit is lost to a float.
  while (unit + 1 < kUnits.size() && whole >= 1024 * 1024) {
    whole /= 1024;
    ++unit;
  }
  const std::int64_t tenths = (whole * 10 + 512) / 1024;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " +
         std::string(kUnits[unit]);
}

Result<Selection> select_files(const ModelName& name,
                               const std::vector<HubFile>& files,
                               bool with_mmproj) {
  Pointers models;
  Pointers towers;
  bool has_config = false;
  bool has_safetensors = false;
  const HubFile* named = nullptr;
  for (const HubFile& file : files) {
    if (file.path == name.file) named = &file;
    if (is_gguf(file)) (is_mmproj(file) ? towers : models).push_back(&file);
    has_config = has_config || file.path == "config.json";
    has_safetensors = has_safetensors || (file.path.ends_with(".safetensors") &&
                                          file.path.find('/') == std::string::npos);
  }
  if (name.file.empty() && has_config && has_safetensors) return whole_folder(files);
  if (named == nullptr) {
    if (models.empty()) {
      return Error{name.file.empty() ? Code::unsupported : Code::not_found,
                   "'" + name.text() +
                       "' has neither .safetensors with a config.json nor a .gguf "
                       "model"};
    }
    FACET_TRY(named, choose_gguf(name, models));
  }
  if (is_gguf(*named) && is_part(*named)) {
    return Error{Code::unsupported,
                 "'" + named->path + "' is a part of a GGUF: only GGUFs in one file are read"};
  }
  Selection out{.files = {*named}, .model = named->path};
  if (with_mmproj) {
    FACET_TRY(const HubFile* tower, choose_mmproj(name, towers));
    out.mmproj = tower->path;
    if (tower != named) out.files.push_back(*tower);
  }
  return out;
}

}  // namespace facet::agent::hub
