#include "engine/model/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace facet::engine {
namespace {

namespace fs = std::filesystem;

/// The names of one version of cgroups.
struct Names {
  const char* limit;
  const char* used;
  const char* idle_files;  ///< In memory.stat.
};
constexpr Names kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Names kVersion2{"memory.max", "memory.current", "inactive_file"};

/// The first number in `file`; -1 when there is none ("max" of a limit that is not set).
std::int64_t number_in(const fs::path& file) {
  std::ifstream in(file);
  std::int64_t value = -1;
  return in >> value ? value : -1;
}

std::int64_t idle_file_bytes(const fs::path& group, std::string_view key) {
  std::ifstream in(group / "memory.stat");
  std::string name;
  std::int64_t bytes = 0;
  while (in >> name >> bytes) {
    if (name == key) return bytes;
  }
  return 0;
}

/// Of one group alone.
std::int64_t bytes_left(const fs::path& group, const Names& names) {
  const std::int64_t limit = number_in(group / names.limit);
  if (limit < 0) return kNoMemoryLimit;
  const std::int64_t used =
      number_in(group / names.used) - idle_file_bytes(group, names.idle_files);
  return std::max<std::int64_t>(0, limit - std::max<std::int64_t>(0, used));
}

/// Of a group and all above it up to `root`.
std::int64_t bytes_left_upwards(const fs::path& root, std::string_view path, const Names& names) {
  std::int64_t out = kNoMemoryLimit;
  // A container's mount may begin at its own group: then the longer names are not there.
  for (fs::path below = fs::path(path).relative_path();; below = below.parent_path()) {
    out = std::min(out, bytes_left(root / below, names));
    if (below.empty()) return out;
  }
}

bool lists_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "memory") return true;
    if (comma == std::string_view::npos) return false;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

std::int64_t cgroup_bytes_left(std::string_view membership, const fs::path& root) {
  std::int64_t out = kNoMemoryLimit;
  while (!membership.empty()) {
    const std::size_t end = std::min(membership.find('\n'), membership.size());
    const std::string_view line = membership.substr(0, end);  // number:controllers:path
    membership.remove_prefix(std::min(end + 1, membership.size()));
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (controllers.empty()) {
      out = std::min(out, bytes_left_upwards(root, path, kVersion2));
    } else if (lists_memory(controllers)) {
      out = std::min(out, bytes_left_upwards(root / "memory", path, kVersion1));
    }
  }
  return out;
}

}  // namespace facet::engine
