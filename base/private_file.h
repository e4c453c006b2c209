// A file of a person's own: questions, answers and documents are nobody else's business.
#pragma once

#include "base/result.h"

#include <filesystem>

namespace facet {

/// Makes an empty file at `path` that only its owner may read and write, for a library that would
/// open it for everybody (SQLite gives its other files the rights of the first). A file that is
/// there stays as it is and is not even opened: closing it would free the locks that this process
/// holds on it. not_found or unavailable, naming the path and the reason.
Status make_private_file(const std::filesystem::path& path);

}  // namespace facet
