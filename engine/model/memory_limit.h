// How much memory the control groups of a process leave it: containers and services have limits
// that the machine's own numbers do not show, and who passes them is killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace facet::engine {

/// What no limit looks like.
inline constexpr std::int64_t kNoMemoryLimit = INT64_MAX;

/// Bytes left below the nearest limit of the groups in `membership` (the text of /proc/self/cgroup)
/// and of all above them, of cgroups 1 and 2; kNoMemoryLimit where none has one. Pages of files
/// that were not used lately do not count: the system takes those back first. `root` is where the
/// groups are mounted: /sys/fs/cgroup.
std::int64_t cgroup_bytes_left(std::string_view membership, const std::filesystem::path& root);

}  // namespace facet::engine
