#include "base/json.h"
#include "engine/model/in_quotes.h"
#include "engine/model/safetensors.h"

#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kSingleName = "model.safetensors";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Error invalid(std::string message) {
  return Error{Code::invalid_data, std::move(message)};
}

/// A name that cannot leave the folder. The file itself may be a link, as in the Hugging Face
/// cache.
bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.find('/') == std::string_view::npos &&
         name.find('\\') == std::string_view::npos && name.find('\0') == std::string_view::npos &&
         name.front() != '.' && name.ends_with(".safetensors");
}

/// Tensor name to file name.
using WeightMap = std::map<std::string, std::string, std::less<>>;

Result<WeightMap> read_index(const std::filesystem::path& path, const SafetensorsLimits& limits) {
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  FACET_TRY(const auto json, parse_json(text_of(file.bytes()), path.filename().string()));
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object() || map->empty()) {
    return invalid("it has no object 'weight_map'");
  }
  if (map->size() > limits.tensors_max) {
    return Error{Code::limit_exceeded,
                 "weight_map has " + std::to_string(map->size()) + " tensors, at most " +
                     std::to_string(limits.tensors_max) + " are read"};
  }
  WeightMap out;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || !is_plain_file_name(shard.get_ref<const std::string&>())) {
      return invalid("tensor " + in_quotes(tensor) + " is in " + in_quotes(dump_json(shard)) +
                     ", which is no plain .safetensors file name");
    }
    out.emplace(tensor, shard.get<std::string>());
  }
  return out;
}

Status read_file(const std::filesystem::path& path,
                 TensorTable& table,
                 std::vector<MappedFile>& files,
                 const SafetensorsLimits& limits) {
  FACET_TRY(MappedFile file, MappedFile::open(path));
  if (auto status = read_safetensors(file.bytes(), "", table, limits); !status) {
    return status.error().with_context(path.filename().string());
  }
  files.push_back(std::move(file));
  return ok();
}

Status read_shards(const std::filesystem::path& folder,
                   const WeightMap& map,
                   TensorTable& table,
                   std::vector<MappedFile>& files,
                   const SafetensorsLimits& limits) {
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map) shards.insert(shard);
  if (shards.size() > limits.shards_max) {
    return Error{Code::limit_exceeded,
                 std::to_string(shards.size()) + " shards, at most " +
                     std::to_string(limits.shards_max) + " are read"};
  }
  for (const std::string& shard : shards) {
    FACET_TRY_STATUS(read_file(folder / shard, table, files, limits));
  }
  for (const auto& [tensor, shard] : map) {
    if (table.find(tensor) == nullptr) {
      return invalid("tensor " + in_quotes(tensor) + " is not in " + shard);
    }
  }
  if (map.size() == table.all().size()) return ok();
  return invalid("the shards hold " + std::to_string(table.all().size()) +
                 " tensors, the index names " + std::to_string(map.size()));
}

}  // namespace

Status read_safetensors_folder(const std::filesystem::path& folder,
                               TensorTable& table,
                               std::vector<MappedFile>& files,
                               const SafetensorsLimits& limits) {
  const std::filesystem::path index = folder / kIndexName;
  std::error_code no_error;  // A file that cannot be looked at is reported when it is opened.
  if (!std::filesystem::exists(index, no_error)) {
    return read_file(folder / kSingleName, table, files, limits);
  }
  auto map = read_index(index, limits);
  if (!map) return map.error().with_context(std::string(kIndexName));
  return read_shards(folder, *map, table, files, limits);
}

}  // namespace facet::engine
