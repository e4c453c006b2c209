// Runs one program on untrusted bytes, with limits that the kernel enforces.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

struct ChildLimits {
  std::uint64_t seconds_max = 30;  ///< Of wall time, and of CPU time.
  std::uint64_t memory_bytes_max = 1U << 30U;
  std::uint64_t output_bytes_max = 64U << 20U;
};

struct ChildOutput {
  int exit_code = 0;   ///< -signal when a signal ended it.
  std::string output;  ///< stdout.
  std::string errors;  ///< The beginning of stderr.
};

/// Runs `program` (a full path; no shell, no PATH) with `arguments`; `input` is its stdin, as a
/// seekable file. It gets an empty environment, the root folder as its own, no open files but its
/// three streams, no core dump, no way to write files or gain privileges, and dies with us.
/// unavailable when it cannot be started, timeout, limit_exceeded when it writes too much.
Result<ChildOutput> run_child(const std::filesystem::path& program,
                              const std::vector<std::string>& arguments,
                              std::string_view input,
                              const ChildLimits& limits);

}  // namespace facet::retrieval
