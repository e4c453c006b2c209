// Forged control tokens: strings that look like the dialects' markers go through every place where
// somebody's words enter a prompt, and must stay letters. FACET_FORGERIES sets how many strings
// (50,000 for the bar); each goes through all carriers of all dialects.
#include "base/json.h"
#include "prompts/dialect.h"
#include "tests/support/catch.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {
namespace {

using engine::TokenId;
using engine::Tokenizer;
using Json = nlohmann::ordered_json;

std::vector<std::string> all_markers() {
  std::set<std::string> out{"<bos>",
                            "<eos>",
                            "<pad>",
                            "<mask>",
                            "[multimodal]",
                            "<unused80>",
                            "<start_of_image>",
                            "<unk>"};
  for (const std::string_view name : dialect_names()) {
    for (const std::string& token : (*find_dialect(name))->control_tokens()) out.insert(token);
  }
  return {out.begin(), out.end()};
}

/// A vocabulary in which the markers of every dialect are control tokens.
const Tokenizer& tokenizer() {
  static const std::shared_ptr<const Tokenizer> made = [] {
    auto vocabulary = facet::test::tiny_vocabulary_with(all_markers());
    auto out = Tokenizer::create(std::move(vocabulary));
    REQUIRE(out);
    return *out;
  }();
  return *made;
}

/// Strings that are, become or resemble markers.
class Forger {
 public:
  explicit Forger(std::uint32_t seed) : engine_(seed) {}

  std::string text() {
    std::string out;
    for (int parts = 1 + below(5); parts > 0; --parts) out += part();
    return out;
  }

 private:
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(bound)); }

  std::string marker() {
    static const std::vector<std::string> kMarkers = all_markers();
    return kMarkers[static_cast<std::size_t>(below(static_cast<int>(kMarkers.size())))];
  }

  /// `text` with `what` somewhere inside.
  std::string with(std::string text, std::string_view what) {
    text.insert(static_cast<std::size_t>(below(static_cast<int>(text.size()) + 1)), what);
    return text;
  }

  static std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
      text.replace(at, from.size(), to);
      at += to.size();
    }
    return text;
  }

  std::string part() {
    static constexpr std::array<std::string_view, 22> kPieces{" ",
                                                              "\n",
                                                              "\t",
                                                              "\"",
                                                              "\\",
                                                              "'",
                                                              "{",
                                                              "}",
                                                              ",",
                                                              ":",
                                                              "call:f{",
                                                              "```",
                                                              "user\n",
                                                              "\xE2\x96\x81",
                                                              "\xE2\x80\x8D",
                                                              "\xC3\xA9",
                                                              "\xFF",
                                                              "<0x3C>",
                                                              "<",
                                                              ">",
                                                              "|",
                                                              "model\n"};
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        return marker();
      case 3: {  // Cut, so that the next part may complete it.
        const std::string whole = marker();
        const auto at = static_cast<std::size_t>(below(static_cast<int>(whole.size())));
        return below(2) == 0 ? whole.substr(0, at) : whole.substr(at);
      }
      case 4:
        return with(marker(), kPieces[static_cast<std::size_t>(below(22))]);
      case 5:  // A marker inside a marker.
        return with(marker(), marker());
      case 6:
        return replaced(replaced(marker(), "<", "\xEF\xBC\x9C"), ">", "\xEF\xBC\x9E");
      case 7:
        return replaced(replaced(marker(), "<", "&lt;"), ">", "&gt;");
      case 8:
        return replaced(replaced(marker(), "<", "\\u003c"), ">", "%3E");
      case 9:
        return replaced(replaced(marker(), "<", "<0x3C>"), ">", "<0x3E>");
      case 10: {
        std::string upper = marker();
        for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        return upper;
      }
      default:
        return std::string(kPieces[static_cast<std::size_t>(below(22))]);
    }
  }

  std::mt19937 engine_;
};

/// A conversation with `words` in the places that `carriers` selects, "x" in the others.
RenderInput conversation(const std::string& words, unsigned carriers, bool has_tools) {
  unsigned next = 0;
  const auto place = [&] { return (carriers >> next++ & 1U) != 0 ? words : std::string("x"); };
  RenderInput input;
  const std::string system = place();
  const std::string user = place();
  if (has_tools) {
    const std::string description = place();
    const Json property = {{"type", "string"}, {"description", place()}, {"enum", {place(), "y"}}};
    input.tools.push_back(
        {.name = "f",
         .description = description,
         .parameters = dump_json(
             {{"type", "object"}, {"properties", {{"p", property}}}, {"required", {"p"}}})});
  }
  input.messages = {{.role = Role::system, .content = system}, {.content = user}};
  if (has_tools) {
    const Json arguments = {{"p", place()}, {"q", Json::array({place()})}};
    input.messages.push_back(
        {.role = Role::assistant,
         .tool_calls = {{.id = "1", .name = "f", .arguments = dump_json(arguments)}}});
    // A document, its file name, and a member that is called so.
    const Json result = {{"passages", Json::array({{{"document", place()}, {"text", place()}}})},
                         {"k" + place(), 1}};
    input.messages.push_back({.role = Role::tool,
                              .content = dump_json(result),
                              .name = "f",
                              .tool_call_id = "1",
                              .content_is_json = true});
  }
  input.messages.push_back({.role = Role::assistant, .content = place()});
  input.messages.push_back({.content = place()});
  return input;
}

std::vector<TokenId> controls(const std::vector<Segment>& segments) {
  std::vector<TokenId> out;
  for (const TokenId id : tokenizer().encode(segments)) {
    if (tokenizer().is_control(id)) out.push_back(id);
  }
  return out;
}

std::vector<std::string> control_words(const std::vector<Segment>& segments) {
  std::vector<std::string> out;
  for (const Segment& segment : segments) {
    if (segment.kind == Segment::Kind::control) out.push_back(segment.text);
  }
  return out;
}

/// The prompt with `words` has the control tokens of the harmless one, and no data became one.
void check_same_controls(const std::vector<Segment>& harmless,
                         const std::vector<Segment>& forged,
                         std::int64_t& data_segments) {
  for (const Segment& segment : forged) {
    if (segment.kind == Segment::Kind::control) continue;
    ++data_segments;
    const auto ids = tokenizer().encode(segment.text);
    const bool has_control = std::any_of(
        ids.begin(), ids.end(), [](const TokenId id) { return tokenizer().is_control(id); });
    if (has_control) FAIL("a control id in the data " << dump_json(Json(segment.text)));
  }
  const bool is_same =
      control_words(forged) == control_words(harmless) && controls(forged) == controls(harmless);
  INFO((is_same ? "" : dump_json(Json(plain_text(forged)))));
  REQUIRE(is_same);
}

std::uint32_t forgery_count() {
  const char* const asked = std::getenv("FACET_FORGERIES");
  return asked == nullptr ? 200 : static_cast<std::uint32_t>(std::strtoul(asked, nullptr, 10));
}

constexpr unsigned kAll = ~0U;

}  // namespace

TEST_CASE("The forger writes markers that a control segment would make tokens of",
          "[prompts][forgery][unit]") {
  // Else the tests below would hold for any tokenizer.
  int would_be = 0;
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    const std::vector<Segment> control{{Segment::Kind::control, Forger(seed).text()}};
    would_be += controls(control).empty() ? 0 : 1;
  }
  CHECK(would_be > 50);
  for (const std::string& marker : all_markers()) {
    INFO(marker);
    const std::vector<Segment> control{{Segment::Kind::control, marker}};
    CHECK((controls(control).size() == 1 || marker == "<unk>"));
  }
}

TEST_CASE("No forged marker becomes a control token, whoever says it", "[prompts][forgery][unit]") {
  const std::uint32_t count = forgery_count();
  std::int64_t data_segments = 0;
  std::int64_t prompts = 0;
  for (const std::string_view name : dialect_names()) {
    const Dialect& dialect = **find_dialect(name);
    const bool has_tools = name != "gemma3";
    const auto harmless = dialect.render(conversation("x", kAll, has_tools));
    INFO(name << (harmless ? "" : harmless.error().message));
    REQUIRE(harmless);
    for (std::uint32_t seed = 0; seed < count; ++seed) {
      const std::string words = "a" + Forger(seed).text() + "z";
      const auto forged = dialect.render(conversation(words, kAll, has_tools));
      INFO(name << " seed " << seed << (forged ? "" : forged.error().message));
      REQUIRE(forged);
      check_same_controls(*harmless, *forged, data_segments);
      ++prompts;
    }
  }
  CHECK(prompts == static_cast<std::int64_t>(count) * std::ssize(dialect_names()));
  CHECK(data_segments > 5 * prompts);
  if (std::getenv("FACET_FORGERIES") != nullptr) {
    WARN(count << " strings, " << prompts << " prompts, " << data_segments
               << " data segments, 0 control ids in them");
  }
}

TEST_CASE("Nor where results and questions are appended", "[prompts][forgery][unit]") {
  const std::uint32_t count = forgery_count() / 4;
  std::int64_t data_segments = 0;
  for (const std::string_view name : dialect_names()) {
    const Dialect& dialect = **find_dialect(name);
    const std::string stop = dialect.stop_tokens().empty() ? "" : dialect.stop_tokens().front();
    const auto results = [&](const std::string& words) {
      return dialect.render_tool_outputs(
          {{.name = "f"}, {.name = "f"}},
          {{.content = dump_json({{"text", words}})},
           {.content = dump_json({{"error", words}}), .is_error = true}},
          "");
    };
    const auto harmless = results("x");
    const auto harmless_turn = dialect.render_user_turn("x", stop);
    REQUIRE(harmless_turn);
    for (std::uint32_t seed = 0; seed < count; ++seed) {
      INFO(name << " seed " << seed);
      const std::string words = "a" + Forger(1'000'000 + seed).text() + "z";
      const auto turn = dialect.render_user_turn(words, stop);
      REQUIRE(turn);
      check_same_controls(*harmless_turn, *turn, data_segments);
      if (!harmless) continue;  // A dialect without calls.
      const auto forged = results(words);
      REQUIRE(forged);
      check_same_controls(*harmless, *forged, data_segments);
    }
  }
  CHECK(data_segments > count);
}

TEST_CASE("A forged name of a tool is refused or stays letters", "[prompts][forgery][unit]") {
  std::int64_t data_segments = 0;
  for (const std::string_view name : dialect_names()) {
    if (name == "gemma3") continue;
    const Dialect& dialect = **find_dialect(name);
    const auto named = [&](const std::string& tool) {
      return dialect.render(
          {.messages = {{.content = "x"}}, .tools = {{.name = tool, .description = "x"}}});
    };
    const auto harmless = named("f");
    REQUIRE(harmless);
    for (std::uint32_t seed = 0; seed < forgery_count(); ++seed) {
      INFO(name << " seed " << seed);
      const auto forged = named("a" + Forger(2'000'000 + seed).text() + "z");
      if (forged) check_same_controls(*harmless, *forged, data_segments);
    }
  }
}

}  // namespace facet::prompts
