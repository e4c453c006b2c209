#include "engine/tokenizer/tokenizer.h"

#include "base/utf8.h"
#include "engine/tokenizer/model_proto.h"
#include "engine/tokenizer/vocabulary.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cmath>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

using facet::Code;
using facet::Segment;
using facet::engine::Piece;
using facet::engine::StreamDecoder;
using facet::engine::TokenId;
using facet::engine::Tokenizer;
using facet::engine::Vocabulary;

namespace {

std::shared_ptr<const Tokenizer> tiny() {
  auto out = Tokenizer::create(facet::test::tiny_vocabulary());
  REQUIRE(out.has_value());
  return *out;
}

Segment control(std::string text) {
  return {Segment::Kind::control, std::move(text)};
}

Segment data(std::string text) {
  return {Segment::Kind::data, std::move(text)};
}

std::vector<std::string> pieces(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::vector<std::string> out;
  for (const TokenId id : ids) out.emplace_back(tokenizer.token_text(id));
  return out;
}

bool any_control(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    if (tokenizer.is_control(id)) return true;
  }
  return false;
}

facet::Result<Vocabulary> parse(const std::string& bytes) {
  return facet::engine::parse_model_proto(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

/// Letters, markers, spaces, line breaks, two- to four-byte characters and stray bytes.
std::string random_text(std::mt19937& random, bool well_formed) {
  const char* parts[] = {"hello",
                         " ",
                         "  ",
                         "\n",
                         "\n\n",
                         "the",
                         " world",
                         "<start_of_turn>",
                         "<h1>",
                         "<",
                         ">",
                         "x",
                         "\t",
                         "\xC3\xA9",
                         "\xE2\x82\xAC",
                         "\xF0\x9F\x98\x80",
                         "<0x41>",
                         "[multimodal]",
                         "\xE3\x80\x80"};
  const char* broken[] = {"\xFF", "\xC3", "\xE2\x82", "\xED\xA0\x80", "\xC0\x80"};
  std::string out;
  const std::size_t count = random() % 12;
  for (std::size_t i = 0; i < count; ++i) {
    const bool bad = !well_formed && random() % 4 == 0;
    out += bad ? broken[random() % 5] : parts[random() % std::size(parts)];
  }
  return out;
}

}  // namespace

TEST_CASE("turn markers are control even where a file calls them plain pieces",
          "[engine][tokenizer]") {
  Vocabulary vocabulary = facet::test::tiny_vocabulary();
  REQUIRE(vocabulary.pieces[106].text == "<end_of_turn>");
  vocabulary.pieces[106].type = Piece::Type::normal;
  const auto tokenizer = Tokenizer::create(std::move(vocabulary));
  REQUIRE(tokenizer.has_value());
  CHECK((*tokenizer)->is_control(106));
  CHECK((*tokenizer)->find_token("<end_of_turn>") == 106);
  CHECK_FALSE(any_control(**tokenizer, (*tokenizer)->encode("a<end_of_turn>b")));
}

TEST_CASE("merges go by score, and spaces become U+2581", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  using Texts = std::vector<std::string>;
  CHECK(pieces(*tokenizer, tokenizer->encode("hello")) == Texts{"hello"});
  CHECK(pieces(*tokenizer, tokenizer->encode("hello the")) == Texts{"hello", "\xE2\x96\x81the"});
  CHECK(pieces(*tokenizer, tokenizer->encode(" x")) == Texts{"\xE2\x96\x81", "x"});
  CHECK(pieces(*tokenizer, tokenizer->encode("")) == Texts{});
  CHECK(pieces(*tokenizer, tokenizer->encode("a  b")) ==
        Texts{"a", "\xE2\x96\x81\xE2\x96\x81", "b"});
  CHECK(pieces(*tokenizer, tokenizer->encode("\n\n\n")) == Texts{"\n\n", "\n"});
  CHECK(pieces(*tokenizer, tokenizer->encode("\xF0\x9F\x98\x80")) ==
        Texts{"<0xF0>", "<0x9F>", "<0x98>", "<0x80>"});
  CHECK(pieces(*tokenizer, tokenizer->encode("<h1>")) == Texts{"<h1>"});
}

TEST_CASE("a literal U+2581 is a space, as in the reference", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  CHECK(tokenizer->encode("a\xE2\x96\x81the") == tokenizer->encode("a the"));
}

TEST_CASE("no spelling of a control token in data gives a control token", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  const Vocabulary vocabulary = facet::test::tiny_vocabulary();
  for (const Piece& piece : vocabulary.pieces) {
    if (!facet::engine::is_control_piece(piece)) continue;
    INFO(piece.text);
    CHECK_FALSE(any_control(*tokenizer, tokenizer->encode(piece.text)));
    CHECK_FALSE(any_control(*tokenizer, tokenizer->encode("x" + piece.text + piece.text)));
    CHECK(tokenizer->decode(tokenizer->encode(piece.text)) == piece.text);
    const std::vector<Segment> mixed = {data(piece.text), control(piece.text)};
    CHECK(tokenizer->encode(mixed).back() == tokenizer->find_token(piece.text));
  }
}

TEST_CASE("a control token needs one control text, not pieces of data", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  const TokenId turn = *tokenizer->find_token("<start_of_turn>");
  CHECK(tokenizer->encode(std::vector{control("<start_of"), control("_turn>")}) ==
        std::vector{turn});
  for (const auto& segments : {std::vector{data("<start_of"), data("_turn>")},
                               std::vector{control("<start_of"), data("_turn>")},
                               std::vector{data("<start_of"), control("_turn>")},
                               std::vector{control("<start_of"), data(""), control("_turn>")}}) {
    CHECK_FALSE(any_control(*tokenizer, tokenizer->encode(segments)));
  }
}

TEST_CASE("text is joined across segment borders between control tokens", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  const std::vector<Segment> segments = {
      control("<bos><start_of_turn>user\n"), data("hel"), data("lo"), control("\n<end_of_turn>\n")};
  std::vector<TokenId> expected = {2, 105};
  for (const TokenId id : tokenizer->encode("user\nhello\n")) expected.push_back(id);
  expected.push_back(106);
  for (const TokenId id : tokenizer->encode("\n")) expected.push_back(id);
  CHECK(tokenizer->encode(segments) == expected);
  CHECK(tokenizer->decode(expected, true) == "<bos><start_of_turn>user\nhello\n<end_of_turn>\n");
  CHECK(tokenizer->decode(expected) == "user\nhello\n\n");
  // Newlines of control text and of data become one token, as in the reference.
  const auto joined = tokenizer->encode(std::vector{control("\n"), data("\n")});
  CHECK(pieces(*tokenizer, joined) == std::vector<std::string>{"\n\n"});
}

TEST_CASE("random text comes back from its tokens", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    const std::string text = random_text(random, true);
    INFO(text);
    const auto ids = tokenizer->encode(text);
    CHECK(tokenizer->decode(ids) == text);
    CHECK_FALSE(any_control(*tokenizer, ids));
    std::string bytes;
    for (const TokenId id : ids) bytes += tokenizer->token_bytes(id);
    CHECK(bytes == text);
  }
}

TEST_CASE("ill-formed UTF-8 is encoded as U+FFFD", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  std::mt19937 random(12);
  for (int round = 0; round < 500; ++round) {
    const std::string text = random_text(random, false);
    CHECK(tokenizer->decode(tokenizer->encode(text)) == facet::to_valid_utf8(text));
  }
  CHECK(tokenizer->decode(tokenizer->encode(std::string("a\0b", 3))) == std::string("a\0b", 3));
}

TEST_CASE("streamed text is valid at every step and equals the decoded whole",
          "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  std::mt19937 random(13);
  for (int round = 0; round < 500; ++round) {
    std::vector<TokenId> ids(random() % 20);
    // Any token at all, bytes more often, so that characters break off in the middle.
    for (TokenId& id : ids) {
      id = static_cast<TokenId>(random() % 2 == 0 ? random() % tokenizer->size()
                                                  : 112 + random() % 256);
    }
    const bool spelled = random() % 2 == 0;
    StreamDecoder decoder(*tokenizer, spelled);
    std::string streamed;
    for (const TokenId id : ids) {
      const std::string part = decoder.push(id);
      CHECK(facet::is_utf8(part));
      streamed += part;
    }
    streamed += decoder.finish();
    CHECK(streamed == tokenizer->decode(ids, spelled));
  }
}

TEST_CASE("a character arrives whole from its byte tokens", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  StreamDecoder decoder(*tokenizer);
  const auto ids = tokenizer->encode("\xF0\x9F\x98\x80");
  REQUIRE(ids.size() == 4);
  CHECK(decoder.push(ids[0]).empty());
  CHECK(decoder.push(ids[1]).empty());
  CHECK(decoder.push(ids[2]).empty());
  CHECK(decoder.push(ids[3]) == "\xF0\x9F\x98\x80");
  CHECK(decoder.finish().empty());
}

TEST_CASE("long runs of one character take no more than linear room", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  CHECK(tokenizer->encode(std::string(131072, 'Z')).size() == 131072);
  CHECK(tokenizer->encode(std::string(131072, '\n')).size() == 65536);
  CHECK(tokenizer->encode(std::string(131072, ' ')).size() == 65536);
  std::string marks = "e";
  for (int i = 0; i < 65536; ++i) marks += "\xCC\x81";
  CHECK(tokenizer->encode(marks).size() == 131073);
}

TEST_CASE("a long text has the tokens of its lines", "[engine][tokenizer]") {
  const auto tokenizer = tiny();
  std::mt19937 random(17);
  std::string whole;
  std::vector<TokenId> expected;
  while (whole.size() < 100000) {
    std::string line = random_text(random, true);
    while (!line.empty() && line.front() == '\n') line.erase(0, 1);
    line += std::string(1 + random() % 3, '\n');
    if (line.find_first_not_of('\n') == std::string::npos) continue;
    whole += line;
    for (const TokenId id : tokenizer->encode(line)) expected.push_back(id);
  }
  CHECK(tokenizer->encode(whole) == expected);
}

TEST_CASE("control pieces are told from markup and text", "[engine][tokenizer]") {
  const auto is_control = [](const char* text, Piece::Type type) {
    return facet::engine::is_control_piece({text, 0.0F, type});
  };
  for (const char* text : {"<start_of_turn>",
                           "<escape>",
                           "<unused12>",
                           "[multimodal]",
                           "<mask>",
                           "<|turn>",
                           "<|\"|>",
                           "<start_of_image>"}) {
    INFO(text);
    CHECK(is_control(text, Piece::Type::user_defined));
    CHECK(is_control(text, Piece::Type::control));
    // A plain piece is text, whatever its brackets; only the family's markers never are.
    const bool is_marker = std::string_view(text).starts_with("<start_of_");
    CHECK(is_control(text, Piece::Type::normal) == is_marker);
  }
  for (const char* text : {"<h1>", "</table>", "\n\n", "\xE2\x96\x81\xE2\x96\x81", "\t", "<>"}) {
    INFO(text);
    CHECK_FALSE(is_control(text, Piece::Type::user_defined));
  }
  CHECK_FALSE(is_control("<0x41>", Piece::Type::byte));
  CHECK(is_control("<unk>", Piece::Type::unknown));
}

TEST_CASE("a vocabulary survives writing and reading as a model file", "[engine][tokenizer]") {
  const Vocabulary before = facet::test::tiny_vocabulary();
  const auto after = parse(facet::engine::write_model_proto(before));
  REQUIRE(after.has_value());
  REQUIRE(after->pieces.size() == before.pieces.size());
  for (std::size_t i = 0; i < before.pieces.size(); ++i) {
    CHECK(after->pieces[i].text == before.pieces[i].text);
    CHECK(after->pieces[i].score == before.pieces[i].score);
    CHECK(after->pieces[i].type == before.pieces[i].type);
  }
  CHECK(after->bos == 2);
  CHECK(after->eos == 1);
  CHECK(after->pad == 0);
}

TEST_CASE("a vocabulary that does not add up is refused", "[engine][tokenizer]") {
  struct Case {
    const char* what;
    std::function<void(Vocabulary&)> change;
    Code code;
    const char* mentions;
  };
  const Case cases[] = {
      {"no pieces", [](Vocabulary& v) { v.pieces.clear(); }, Code::limit_exceeded, "0 pieces"},
      {"an empty piece",
       [](Vocabulary& v) { v.pieces[400].text.clear(); },
       Code::invalid_data,
       "400"},
      {"a repeated piece",
       [](Vocabulary& v) { v.pieces[400].text = v.pieces[399].text; },
       Code::invalid_data,
       "occurs twice"},
      {"no byte 65",
       [](Vocabulary& v) { v.pieces[112 + 65].type = Piece::Type::control; },
       Code::invalid_data,
       "byte 65"},
      {"a byte of another form",
       [](Vocabulary& v) { v.pieces[112].text = "<0xZZ>"; },
       Code::invalid_data,
       "type byte"},
      {"two unknown pieces",
       [](Vocabulary& v) { v.pieces[4].type = Piece::Type::unknown; },
       Code::invalid_data,
       "2 unknown"},
      {"no unknown piece",
       [](Vocabulary& v) { v.pieces[3].type = Piece::Type::control; },
       Code::invalid_data,
       "0 unknown"},
      {"text that is not UTF-8",
       [](Vocabulary& v) { v.pieces[400].text = "\xFF"; },
       Code::invalid_data,
       "UTF-8"},
      {"a score NaN",
       [](Vocabulary& v) { v.pieces[400].score = NAN; },
       Code::invalid_data,
       "finite"},
      {"a piece of 2000 bytes",
       [](Vocabulary& v) { v.pieces[400].text = std::string(2000, 'x'); },
       Code::invalid_data,
       "1024 bytes"},
      {"bos outside", [](Vocabulary& v) { v.bos = 100000; }, Code::invalid_data, "bos"},
      {"eos outside", [](Vocabulary& v) { v.eos = -1; }, Code::invalid_data, "eos"},
  };
  for (const Case& broken : cases) {
    INFO(broken.what);
    Vocabulary vocabulary = facet::test::tiny_vocabulary();
    broken.change(vocabulary);
    const auto tokenizer = Tokenizer::create(vocabulary);
    REQUIRE_FALSE(tokenizer.has_value());
    INFO(tokenizer.error().message);
    CHECK(facet::code_name(tokenizer.error().code) == facet::code_name(broken.code));
    CHECK(tokenizer.error().message.find(broken.mentions) != std::string::npos);
  }
}

TEST_CASE("a broken SentencePiece file is refused, wherever it is broken", "[engine][tokenizer]") {
  const std::string good = facet::engine::write_model_proto(facet::test::tiny_vocabulary());
  for (std::size_t size = 0; size < good.size(); size += size < 300 ? 1 : 97) {
    CHECK_FALSE(parse(good.substr(0, size)).has_value());
  }
  std::mt19937 random(5);
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string changed = good;
    for (int i = 0; i < 4; ++i) changed[random() % changed.size()] = static_cast<char>(random());
    if (!parse(changed)) ++refused;
  }
  CHECK(refused > 100);
  CHECK(parse("\x0B").error().code == Code::invalid_data);                      // Wire type 3.
  CHECK(parse(std::string(11, '\xFF')).error().code == Code::invalid_data);     // Varint too long.
  CHECK(parse("\x0A\xFF\xFF\xFF\xFF\x0F").error().code == Code::invalid_data);  // Length 2^32.
}

TEST_CASE("SentencePiece models that are not of Gemma's kind are unsupported",
          "[engine][tokenizer]") {
  const std::string pieces_only = std::string("\x0A\x05\x0A\x03") + "abc";
  const std::string bpe = std::string("\x12\x02\x18\x02", 4);
  const std::string unigram = std::string("\x12\x02\x18\x01", 4);
  const std::string plain = std::string("\x1A\x06\x18\x00\x20\x00\x28\x01", 8);
  CHECK(parse(pieces_only + bpe + plain).has_value());
  CHECK(parse(pieces_only + unigram + plain).error().code == Code::unsupported);
  CHECK(
      parse(pieces_only + bpe + std::string("\x1A\x06\x18\x01\x20\x00\x28\x01", 8)).error().code ==
      Code::unsupported);
  CHECK(parse(pieces_only + bpe + std::string("\x1A\x00", 2))
            .error()
            .message.find("remove_extra_whitespaces") != std::string::npos);
  CHECK(parse(pieces_only + bpe + std::string("\x1A\x09\x12\x01m\x18\x00\x20\x00\x28\x01", 11))
            .error()
            .message.find("character map") != std::string::npos);
  CHECK(parse(pieces_only).error().code == Code::invalid_data);
}

TEST_CASE("a missing or broken tokenizer file is named", "[engine][tokenizer]") {
  const facet::test::TempDir dir;
  const auto missing = Tokenizer::load_sentencepiece(dir.path() / "none.model");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == Code::not_found);
  facet::test::write_bytes(dir.path() / "bad.model", "not a model");
  const auto bad = Tokenizer::load_sentencepiece(dir.path() / "bad.model");
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().code == Code::invalid_data);
  CHECK(bad.error().message.find("bad.model") != std::string::npos);
}
