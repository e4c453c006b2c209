#include "engine/kv/snapshot.h"

#include "base/byte_reader.h"
#include "base/mapped_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace facet::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "files are written as memory lies");

constexpr std::string_view kMagic = "FACETSEQ";
constexpr std::uint32_t kVersion = 4;  // 1 had no images, 2 no format, 3 only f32.
constexpr std::uint32_t kIdentityBytesMax = 4096;
constexpr std::uint32_t kFormatBytesMax = 256;

constexpr std::uint64_t kFnvPrime = 0x100000001B3U;

/// FNV-1a over words of eight bytes: finds broken files, does not resist forgers.
std::uint64_t checksum(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    hash = (hash ^ word) * kFnvPrime;
    hash ^= hash >> 32U;  // Carries the high bits of a word down, which a product alone never does.
  }
  for (; at < bytes.size(); ++at) {
    hash = (hash ^ static_cast<std::uint64_t>(bytes[at])) * kFnvPrime;
  }
  return hash;
}

template <typename T>
void put(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

template <typename T>
void put_all(std::string& out, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// The rows that `layer` holds, key and value of a position side by side.
Status put_rows(std::string& out, std::size_t layer, const KvCache& cache) {
  const auto bytes = static_cast<std::size_t>(cache.row_bytes(layer));
  std::vector<std::byte> page;
  for (std::int64_t p = cache.first_held(layer); p < cache.size(); p += kPageTokens) {
    const auto positions = static_cast<std::size_t>(std::min(kPageTokens, cache.size() - p));
    page.resize(2 * positions * bytes);
    FACET_TRY_STATUS(cache.read_page(layer, p, static_cast<std::int64_t>(positions), page));
    for (std::size_t i = 0; i < positions; ++i) {
      put_all(out, std::span<const std::byte>(page).subspan(i * bytes, bytes));
      put_all(out, std::span<const std::byte>(page).subspan((positions + i) * bytes, bytes));
    }
  }
  return ok();
}

/// The other way round; `from` holds the positions [first, size).
Status take_rows(std::span<const std::byte> from,
                 std::size_t layer,
                 std::int64_t first,
                 std::int64_t size,
                 KvCache& cache) {
  const auto bytes = static_cast<std::size_t>(cache.row_bytes(layer));
  std::vector<std::byte> page;
  for (std::int64_t p = first; p < size; p += kPageTokens) {
    const auto positions = static_cast<std::size_t>(std::min(kPageTokens, size - p));
    page.resize(2 * positions * bytes);
    for (std::size_t i = 0; i < positions; ++i) {
      std::memcpy(page.data() + i * bytes, from.data(), bytes);
      std::memcpy(page.data() + (positions + i) * bytes, from.data() + bytes, bytes);
      from = from.subspan(2 * bytes);
    }
    FACET_TRY_STATUS(cache.write_page(layer, p, static_cast<std::int64_t>(positions), page));
  }
  return ok();
}

Result<std::string> to_bytes(const SnapshotParts& parts) {
  const KvCache& cache = parts.cache;
  std::string out(kMagic);
  put(out, kVersion);
  put(out, static_cast<std::uint32_t>(parts.identity.size()));
  out += parts.identity;
  put(out, static_cast<std::uint32_t>(parts.format.size()));
  out += parts.format;
  put(out, parts.computed_tokens);
  put(out, static_cast<std::uint64_t>(parts.tokens.size()));
  put_all(out, parts.tokens);
  put(out, static_cast<std::uint32_t>(parts.images.size()));
  for (const auto& image : parts.images) {
    put(out, static_cast<std::uint64_t>(image->count));
    put_all(out, std::span<const float>(image->values));
  }
  put(out, static_cast<std::uint64_t>(parts.logits.size()));
  put_all(out, parts.logits);
  put(out, static_cast<std::uint32_t>(cache.layers()));
  for (std::size_t l = 0; l < cache.layers(); ++l) {
    put(out, static_cast<std::uint64_t>(cache.first_held(l)));
    put(out, static_cast<std::uint64_t>(cache.row_bytes(l)));
    FACET_TRY_STATUS(put_rows(out, l, cache));
  }
  put(out, checksum(std::as_bytes(std::span(out))));
  return out;
}

Error system_error(const std::filesystem::path& path, const char* step) {
  const std::string cause = std::generic_category().message(errno);
  return {Code::unavailable, path.string() + ": " + step + ": " + cause};
}

Status write_and_sync(const std::filesystem::path& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return system_error(path, "cannot create");
  Status result = ok();
  while (!bytes.empty() && result) {
    const ::ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      result = system_error(path, "cannot write");
    }
  }
  if (result && ::fsync(file) != 0) result = system_error(path, "cannot sync");
  if (::close(file) != 0 && result) result = system_error(path, "cannot close");
  return result;
}

/// Makes a rename last: syncs the directory that holds `path`.
Status sync_directory(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const int folder = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return system_error(parent, "cannot open");
  const bool synced = ::fsync(folder) == 0;
  Status result = synced ? ok() : Status(system_error(parent, "cannot sync"));
  ::close(folder);
  return result;
}

Error broken(const std::string& what) {
  return {Code::invalid_data, what};
}

/// `count` values of T, which must be there: nothing is allocated for a length that lies.
template <typename T>
Result<std::vector<T>> read_all(ByteReader& reader, std::uint64_t count, std::string_view what) {
  if (count > reader.remaining() / sizeof(T)) {
    return broken(std::string(what) + ": " + std::to_string(count) + " do not fit the file");
  }
  FACET_TRY(const auto bytes, reader.read_bytes(count * sizeof(T), what));
  std::vector<T> out(static_cast<std::size_t>(count));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

Result<std::string> read_name(ByteReader& reader, std::uint32_t bytes_max, const char* what) {
  FACET_TRY(const auto length, reader.read<std::uint32_t>(what));
  if (length > bytes_max) {
    return broken(std::string(what) + " of " + std::to_string(length) + " bytes");
  }
  return reader.read_string(length, what);
}

Status read_header(ByteReader& reader, const SnapshotModel& model) {
  FACET_TRY(const std::string magic, reader.read_string(kMagic.size(), "magic"));
  if (magic != kMagic) return broken("not a saved sequence: magic is missing");
  FACET_TRY(const auto version, reader.read<std::uint32_t>("version"));
  if (version != kVersion) {
    return Error{Code::unsupported,
                 "version " + std::to_string(version) + ", expected " + std::to_string(kVersion)};
  }
  FACET_TRY(const std::string identity, read_name(reader, kIdentityBytesMax, "identity"));
  if (identity != model.identity) {
    return Error{Code::unsupported,
                 "saved by model " + identity + ", this one is " + std::string(model.identity)};
  }
  FACET_TRY(const std::string format, read_name(reader, kFormatBytesMax, "format"));
  if (format != model.format) {
    return Error{Code::unsupported,
                 "saved in format '" + format + "', expected '" + std::string(model.format) + "'"};
  }
  return ok();
}

/// The images, each where its ids are: no position below 0 may be left over.
Status read_images(ByteReader& reader, const SnapshotModel& model, Snapshot& out) {
  FACET_TRY(const auto count, reader.read<std::uint32_t>("image count"));
  std::vector<std::shared_ptr<const SoftTokens>> images;
  for (std::uint32_t i = 0; i < count; ++i) {
    FACET_TRY(const auto rows, reader.read<std::uint64_t>("image rows"));
    if (rows < 1 || rows > out.tokens.size()) {
      return broken("image of " + std::to_string(rows) + " tokens");
    }
    const auto floats = rows * static_cast<std::uint64_t>(model.hidden);
    FACET_TRY(std::vector<float> values, read_all<float>(reader, floats, "image"));
    images.push_back(make_soft_tokens(std::move(values), model.hidden));
  }
  auto found = find_images(out.tokens, images, model.hidden);
  if (!found) return broken(found.error().message);
  out.images = *std::move(found);
  return ok();
}

Status read_tokens(ByteReader& reader, const SnapshotModel& model, Snapshot& out) {
  FACET_TRY(out.computed_tokens, reader.read<std::int64_t>("computed tokens"));
  FACET_TRY(const auto count, reader.read<std::uint64_t>("token count"));
  if (count > static_cast<std::uint64_t>(model.context_tokens_max)) {
    return Error{Code::limit_exceeded,
                 std::to_string(count) + " tokens, the context holds " +
                     std::to_string(model.context_tokens_max)};
  }
  FACET_TRY(out.tokens, read_all<TokenId>(reader, count, "tokens"));
  for (const TokenId id : out.tokens) {
    if (id >= model.vocabulary) return broken("token id " + std::to_string(id));
  }
  FACET_TRY_STATUS(read_images(reader, model, out));
  if (out.computed_tokens < 0) {
    return broken("computed tokens are " + std::to_string(out.computed_tokens));
  }
  FACET_TRY(const auto logits, reader.read<std::uint64_t>("logit count"));
  const std::uint64_t wanted = count == 0 ? 0 : static_cast<std::uint64_t>(model.vocabulary);
  if (logits != wanted) {
    return broken("logit count is " + std::to_string(logits) + ", expected " +
                  std::to_string(wanted));
  }
  FACET_TRY(out.logits, read_all<float>(reader, logits, "logits"));
  return ok();
}

Status read_layer(ByteReader& reader,
                  std::size_t layer,
                  std::int64_t size,
                  std::vector<std::int64_t>& first_held,
                  std::vector<std::span<const std::byte>>& rows,
                  const KvCache& cache) {
  const std::string name = "layer " + std::to_string(layer);
  FACET_TRY(const auto first, reader.read<std::uint64_t>(name));
  FACET_TRY(const auto row, reader.read<std::uint64_t>(name));
  if (row != static_cast<std::uint64_t>(cache.row_bytes(layer))) {
    return broken(name + ": row of " + std::to_string(row) + " bytes, expected " +
                  std::to_string(cache.row_bytes(layer)));
  }
  if (first % static_cast<std::uint64_t>(kPageTokens) != 0 ||
      first > static_cast<std::uint64_t>(cache.window_begin(layer, size))) {
    return broken(name + ": starts at position " + std::to_string(first));
  }
  first_held.push_back(static_cast<std::int64_t>(first));
  const std::uint64_t positions = static_cast<std::uint64_t>(size) - first;
  FACET_TRY(const auto bytes, reader.read_bytes(positions * 2 * row, name));
  rows.push_back(bytes);
  return ok();
}

Status read_cache(ByteReader& reader, std::int64_t size, KvCache& cache) {
  FACET_TRY(const auto layers, reader.read<std::uint32_t>("layer count"));
  if (layers != cache.layers()) {
    return broken(std::to_string(layers) + " layers, expected " + std::to_string(cache.layers()));
  }
  std::vector<std::int64_t> first_held;
  std::vector<std::span<const std::byte>> rows;
  for (std::size_t l = 0; l < cache.layers(); ++l) {
    FACET_TRY_STATUS(read_layer(reader, l, size, first_held, rows, cache));
  }
  if (reader.remaining() != 0) {
    return broken(std::to_string(reader.remaining()) + " bytes after the last layer");
  }
  FACET_TRY_STATUS(cache.reset_for_restore(size, first_held));
  for (std::size_t l = 0; l < cache.layers(); ++l) {
    FACET_TRY_STATUS(take_rows(rows[l], l, first_held[l], size, cache));
  }
  return ok();
}

Result<Snapshot> parse(std::span<const std::byte> bytes, const SnapshotModel& model) {
  ByteReader reader(bytes);
  // The header first, so that another version or model is told from a broken file.
  FACET_TRY_STATUS(read_header(reader, model));
  if (reader.remaining() < sizeof(std::uint64_t)) return broken("cut off behind the header");
  const std::size_t body = bytes.size() - sizeof(std::uint64_t);
  std::uint64_t stored = 0;
  std::memcpy(&stored, bytes.data() + body, sizeof stored);
  if (stored != checksum(bytes.first(body))) return broken("checksum does not match");

  Snapshot out{.cache = KvCache(model.layers, model.kv_type, model.memory)};
  ByteReader content(bytes.first(body));
  FACET_TRY_STATUS(content.skip(reader.offset(), "header"));
  FACET_TRY_STATUS(read_tokens(content, model, out));
  FACET_TRY_STATUS(read_cache(content, static_cast<std::int64_t>(out.tokens.size()), out.cache));
  return out;
}

}  // namespace

Status save_snapshot(const std::filesystem::path& path, const SnapshotParts& parts) {
  if (parts.identity.size() > kIdentityBytesMax) {
    return Error{Code::invalid_argument,
                 "model identity has " + std::to_string(parts.identity.size()) + " bytes"};
  }
  if (parts.format.size() > kFormatBytesMax) {
    return Error{Code::invalid_argument,
                 "format has " + std::to_string(parts.format.size()) + " bytes, at most " +
                     std::to_string(kFormatBytesMax)};
  }
  // The process id keeps two programs that save to one path from writing into one file.
  const std::filesystem::path temporary = path.string() + ".tmp." + std::to_string(::getpid());
  FACET_TRY(const std::string bytes, to_bytes(parts));
  Status result = write_and_sync(temporary, bytes);
  if (result && ::rename(temporary.c_str(), path.c_str()) != 0) {
    result = system_error(path, "cannot rename into place");
  }
  if (!result) {
    ::unlink(temporary.c_str());
    return result;
  }
  return sync_directory(path);
}

Result<Snapshot> load_snapshot(const std::filesystem::path& path, const SnapshotModel& model) {
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  Result<Snapshot> snapshot = parse(file.bytes(), model);
  if (!snapshot) return snapshot.error().with_context(path.string());
  return snapshot;
}

}  // namespace facet::engine
