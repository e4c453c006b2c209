#include "tools/builtin/files.h"

#include "base/json.h"
#include "base/utf8.h"
#include "tools/typed.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace facet::tools {
namespace {

/// Room for the keys and numbers around a text in a result.
constexpr std::size_t kFrameBytes = 128;

struct ListArgs {
  std::optional<std::string> path;
};
FACET_FIELDS(ListArgs, FACET_FIELD(path, "A folder; leave out for the top."))

struct ListResult {
  std::vector<std::string> files;
  std::optional<std::uint64_t> more;
};
FACET_FIELDS(ListResult, FACET_FIELD(files, ""), FACET_FIELD(more, ""))

struct ReadArgs {
  std::string path;
  std::optional<std::int64_t> offset;
  std::optional<std::int64_t> max_bytes;
};
FACET_FIELDS(ReadArgs,
             FACET_FIELD(path, "The file to read."),
             FACET_FIELD(offset, "First byte to read.", {.minimum = 0}),
             FACET_FIELD(max_bytes, "How many bytes to read.", {.minimum = 1}))

struct ReadResult {
  std::string text;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> next_offset;
};
FACET_FIELDS(ReadResult,
             FACET_FIELD(text, ""),
             FACET_FIELD(bytes, ""),
             FACET_FIELD(next_offset, ""))

Result<ListResult> list(const Workspace& workspace,
                        const ListArgs& args,
                        const FileToolLimits& limits,
                        const CallContext& context) {
  FACET_TRY(const Workspace::Listing listing,
            workspace.list(args.path.value_or(""), limits.entries_max));
  ListResult out;
  std::size_t more = listing.more;
  std::size_t bytes = kFrameBytes;
  for (const WorkspaceEntry& entry : listing.entries) {
    std::string name = entry.name + (entry.is_folder ? "/" : "");
    bytes += json_quote(name).size() + 1;
    if (bytes > context.output_bytes_max) {
      ++more;
    } else {
      out.files.push_back(std::move(name));
    }
  }
  if (more > 0) out.more = more;
  return out;
}

Result<ReadResult> read(const Workspace& workspace,
                        const ReadArgs& args,
                        const FileToolLimits& limits,
                        const CallContext& context) {
  const auto offset =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, args.offset.value_or(0)));
  const auto wanted = args.max_bytes
                          ? static_cast<std::size_t>(std::max<std::int64_t>(1, *args.max_bytes))
                          : limits.read_bytes_default;
  const std::size_t bytes_max = std::min(wanted, limits.read_bytes_max);
  FACET_TRY(WorkspaceText piece, workspace.read(args.path, offset, bytes_max));
  if (piece.bytes.find('\0') != std::string::npos) {
    return Error{Code::invalid_data, json_quote(args.path) + " is not a text file"};
  }
  std::string_view text = piece.bytes;
  const auto at_end = [&] { return offset + text.size() >= piece.file_bytes; };
  if (!at_end() && incomplete_utf8_suffix(text) < text.size()) {
    text.remove_suffix(incomplete_utf8_suffix(text));
  }
  // Escapes can make the JSON up to six times as long as the text: cut until it fits.
  const std::size_t room =
      context.output_bytes_max > kFrameBytes ? context.output_bytes_max - kFrameBytes : 1;
  while (text.size() > 1 && json_quote(to_valid_utf8(text)).size() > room) {
    text = utf8_prefix(text, text.size() / 2);
  }
  ReadResult out{.text = to_valid_utf8(text), .bytes = piece.file_bytes, .next_offset = {}};
  if (!at_end() && !text.empty()) out.next_offset = offset + text.size();
  return out;
}

}  // namespace

std::shared_ptr<const Tool> make_list_files(std::shared_ptr<const Workspace> workspace,
                                            FileToolLimits limits) {
  return make_tool<ListArgs>(
      "list_files",
      "Lists the files in a folder.",
      [workspace = std::move(workspace), limits](const ListArgs& args, const CallContext& context) {
        return list(*workspace, args, limits, context);
      });
}

std::shared_ptr<const Tool> make_read_file(std::shared_ptr<const Workspace> workspace,
                                           FileToolLimits limits) {
  return make_tool<ReadArgs>(
      "read_file",
      "Reads a text file.",
      [workspace = std::move(workspace), limits](const ReadArgs& args, const CallContext& context) {
        return read(*workspace, args, limits, context);
      });
}

}  // namespace facet::tools
