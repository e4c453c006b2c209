// list_files and read_file: what is in the workspace folder, and what a file says.
#pragma once

#include "tools/builtin/workspace.h"
#include "tools/tool.h"

#include <cstddef>
#include <memory>

namespace facet::tools {

struct FileToolLimits {
  std::size_t entries_max = 200;
  std::size_t read_bytes_default = 16U << 10U;
  std::size_t read_bytes_max = 48U << 10U;
};

/// Tool `list_files`, optional `path`: {"files":["travel.md","reports/"]}; folders end with "/".
/// "more" counts what did not fit.
std::shared_ptr<const Tool> make_list_files(std::shared_ptr<const Workspace> workspace,
                                            FileToolLimits limits = {});

/// Tool `read_file`, `path` and optional `offset` and `max_bytes`: {"text":"...","bytes":1234},
/// where bytes is the size of the file; "next_offset" is there when the text goes on. The text is
/// repaired to UTF-8 and cut between characters. invalid_data for a file with NUL bytes: not text.
std::shared_ptr<const Tool> make_read_file(std::shared_ptr<const Workspace> workspace,
                                           FileToolLimits limits = {});

}  // namespace facet::tools
