#include "engine/tokenizer/tokenizer.h"

#include "base/check.h"
#include "base/utf8.h"
#include "engine/model/gguf.h"
#include "engine/model/gguf_config.h"
#include "engine/tokenizer/model_proto.h"
#include "tests/fuzz/targets.h"
#include "tests/support/tiny_model.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

namespace facet::fuzz {
namespace {

using engine::TokenId;
using engine::Tokenizer;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What every text must hold, in any vocabulary: ids in range, none of them control.
void check_data(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text);
  FACET_CHECK(ids.size() <= 3 * text.size());  // A byte at worst is U+FFFD, three byte pieces.
  for (const TokenId id : ids) {
    FACET_CHECK(id >= 0 && static_cast<std::size_t>(id) < tokenizer.size());
    FACET_CHECK(!tokenizer.is_control(id));
  }
  engine::StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const TokenId id : ids) streamed += decoder.push(id);
  streamed += decoder.finish();
  FACET_CHECK(streamed == tokenizer.decode(ids));
}

/// A vocabulary of a file: refused, or a tokenizer that works.
bool check_vocabulary(engine::Vocabulary vocabulary) {
  const std::size_t pieces = vocabulary.pieces.size();
  const auto tokenizer = Tokenizer::create(std::move(vocabulary));
  if (!tokenizer) {
    // What check_vocabulary lets through the library must take.
    FACET_CHECK(tokenizer.error().code != Code::internal);
    check_message(tokenizer.error());
    return false;
  }
  FACET_CHECK((*tokenizer)->size() == pieces);
  for (const std::string_view text : {"hello  the\n\nworld <h1>x</h1>",
                                      "<start_of_turn>user<eos>",
                                      "\xE2\x96\x81 \xF0\x9F\x98\x80"}) {
    check_data(**tokenizer, text);
  }
  return true;
}

const Tokenizer& tiny() {
  static const std::shared_ptr<const Tokenizer> tokenizer =
      *Tokenizer::create(test::tiny_vocabulary());
  return *tokenizer;
}

/// What comes back from the ids of `text`: valid UTF-8 in which U+2581 is a space.
std::string as_decoded(std::string_view text) {
  constexpr std::string_view mark = "\xE2\x96\x81";
  std::string out = to_valid_utf8(text);
  for (std::size_t at = out.find(mark); at != std::string::npos; at = out.find(mark, at)) {
    out.replace(at, mark.size(), " ");
  }
  return out;
}

}  // namespace

bool model_proto(std::span<const std::byte> bytes) {
  auto vocabulary = engine::parse_model_proto(bytes);
  if (!vocabulary) {
    check_message(vocabulary.error());
    return false;
  }
  // What was read is what would be written: a second reading gives the same.
  const std::string written = engine::write_model_proto(*vocabulary);
  const auto again = engine::parse_model_proto(std::as_bytes(std::span(written)));
  FACET_CHECK(again.has_value());
  FACET_CHECK(engine::write_model_proto(*again) == written);
  return check_vocabulary(*std::move(vocabulary));
}

bool gguf_vocabulary(std::span<const std::byte> bytes) {
  const auto gguf = engine::Gguf::parse(bytes);
  if (!gguf) return false;
  auto vocabulary = engine::read_gguf_vocabulary(*gguf);
  if (!vocabulary) return false;
  return check_vocabulary(*std::move(vocabulary));
}

bool tokenizer_text(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  check_data(tiny(), text);
  FACET_CHECK(tiny().decode(tiny().encode(text)) == as_decoded(text));
  // The first byte cuts the rest into segments of both kinds, which must say the same text.
  if (text.empty()) return true;
  std::vector<Segment> segments;
  std::string_view rest = text.substr(1);
  unsigned state = static_cast<unsigned char>(text.front());
  while (!rest.empty()) {
    state = state * 1103515245U + 12345U;
    const std::size_t size = std::min<std::size_t>(rest.size(), 1 + (state >> 16U) % 13);
    const bool control = ((state >> 24U) & 1U) != 0;
    segments.push_back({control ? Segment::Kind::control : Segment::Kind::data,
                        std::string(rest.substr(0, size))});
    rest.remove_prefix(size);
  }
  const auto ids = tiny().encode(segments);
  if (is_utf8(text.substr(1))) {
    FACET_CHECK(tiny().decode(ids, true) == as_decoded(text.substr(1)));
  }
  for (const TokenId id : ids) FACET_CHECK(id >= 0 && static_cast<std::size_t>(id) < tiny().size());
  return true;
}

}  // namespace facet::fuzz
