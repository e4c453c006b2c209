#include "retrieval/loaders/zip.h"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <memory>

namespace facet::retrieval {
namespace {

// Small documents compress well; below this size the ratio says nothing.
constexpr std::uint64_t kRatioFreeBytes = 1U << 20U;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

Error archive_error(archive* reader, const char* doing) {
  const char* why = archive_error_string(reader);
  return {Code::invalid_data,
          std::string("the zip archive is damaged ") + doing + ": " + (why != nullptr ? why : "?")};
}

class ZipReader {
 public:
  ZipReader(std::string_view bytes, const LoadLimits& limits)
      : reader_(archive_read_new()), bytes_(bytes), limits_(limits) {}

  Status open() {
    if (reader_ == nullptr) return Error{Code::unavailable, "no memory for reading a zip archive"};
    // The seeking reader follows the central directory, as office programs do.
    archive_read_support_format_zip_seekable(reader_.get());
    if (archive_read_open_memory(reader_.get(), bytes_.data(), bytes_.size()) != ARCHIVE_OK) {
      return archive_error(reader_.get(), "at its directory");
    }
    return ok();
  }

  Result<std::map<std::string, std::string>> read(const std::vector<std::string>& names) {
    std::map<std::string, std::string> out;
    for (std::size_t count = 0;; ++count) {
      archive_entry* entry = nullptr;
      const int code = archive_read_next_header(reader_.get(), &entry);
      if (code == ARCHIVE_EOF || out.size() == names.size()) return out;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
        return archive_error(reader_.get(), "at an entry's header");
      }
      if (count >= limits_.zip_entries_max) {
        return Error{Code::limit_exceeded,
                     "the zip archive has more than " + std::to_string(limits_.zip_entries_max) +
                         " entries"};
      }
      const char* name = archive_entry_pathname(entry);
      if (name == nullptr || std::find(names.begin(), names.end(), name) == names.end()) continue;
      if (archive_entry_is_encrypted(entry) != 0) {
        return Error{Code::unsupported, std::string(name) + " is encrypted"};
      }
      FACET_TRY(out[name], read_entry(name));
    }
  }

 private:
  Result<std::string> read_entry(const std::string& name) {
    std::string content;
    std::array<char, 65536> buffer;
    for (;;) {
      const la_ssize_t count = archive_read_data(reader_.get(), buffer.data(), buffer.size());
      if (count == 0) return content;
      if (count < 0) return archive_error(reader_.get(), ("in " + name).c_str());
      content.append(buffer.data(), static_cast<std::size_t>(count));
      total_bytes_ += static_cast<std::uint64_t>(count);
      if (content.size() > limits_.zip_entry_bytes_max ||
          total_bytes_ > limits_.zip_total_bytes_max) {
        return Error{
            Code::limit_exceeded,
            name + " unpacks to more than " +
                std::to_string(std::min(limits_.zip_entry_bytes_max, limits_.zip_total_bytes_max)) +
                " bytes"};
      }
      if (total_bytes_ > kRatioFreeBytes && total_bytes_ / bytes_.size() > limits_.zip_ratio_max) {
        return Error{Code::limit_exceeded,
                     name + " unpacks to more than " + std::to_string(limits_.zip_ratio_max) +
                         " times the size of the archive"};
      }
    }
  }

  std::unique_ptr<archive, FreeArchive> reader_;
  std::string_view bytes_;
  LoadLimits limits_;
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

Result<std::map<std::string, std::string>> read_zip_entries(std::string_view archive,
                                                            const std::vector<std::string>& names,
                                                            const LoadLimits& limits) {
  if (archive.empty()) return Error{Code::invalid_data, "the zip archive is empty"};
  ZipReader reader(archive, limits);
  FACET_TRY_STATUS(reader.open());
  return reader.read(names);
}

}  // namespace facet::retrieval
