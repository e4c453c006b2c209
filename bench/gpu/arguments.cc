#include "bench/gpu/arguments.h"

#include <charconv>

namespace facet::bench {
namespace {

constexpr std::int64_t kStreamsMax = 128;

std::optional<std::int64_t> count_from(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && value > 0 ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<Arguments> parse(std::span<char* const> words) {
  if (words.size() < 2) return std::nullopt;
  Arguments out{.shape = words[0], .type = words[1], .head = words[1]};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (!word.starts_with("--")) {
      const auto context = count_from(word);
      if (!context) return std::nullopt;
      out.contexts.push_back(*context);
      continue;
    }
    const std::string_view value = ++i < words.size() ? words[i] : "";
    const auto kv = engine::kv_type_from_name(value);
    const auto streams = count_from(value);
    if (word == "--head" && !value.empty()) {
      out.head = value;
    } else if (word == "--kv" && kv) {
      out.kv = *kv;
    } else if (word == "--streams" && streams && *streams <= kStreamsMax) {
      out.streams = *streams;
    } else {
      return std::nullopt;
    }
  }
  if (out.contexts.empty() && out.streams == 0) out.contexts = {1024, 8192, 32768, 131072};
  return out;
}

}  // namespace facet::bench
