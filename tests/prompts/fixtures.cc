#include "tests/prompts/fixtures.h"

#include "base/json.h"
#include "prompts/json_io.h"
#include "prompts/segment_writer.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace facet::prompts::test {
namespace {

using Json = nlohmann::ordered_json;

std::filesystem::path reference() {
  const char* set = std::getenv("FACET_REFERENCE");
  if (set != nullptr) return set;
  return std::filesystem::path(FACET_SOURCE_DIR) / "../shared/reference";
}

void add_text(std::vector<ParseEvent>& events, ParseEvent event) {
  using Kind = ParseEvent::Kind;
  const bool is_piece = event.kind == Kind::text || event.kind == Kind::call_arguments;
  const bool joins = is_piece && !events.empty() && events.back().kind == event.kind;
  if (joins) {
    events.back().text += event.text;
  } else {
    events.push_back(std::move(event));
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in.good());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string golden(const std::string& name) {
  return read_file(std::string(FACET_SOURCE_DIR) + "/tests/golden/prompts/" + name);
}

std::vector<Fixture> load_fixtures(const std::string& folder) {
  const auto path = reference() / "prompt-formats" / folder;
  std::vector<Fixture> fixtures;
  if (!std::filesystem::is_directory(path)) {
    WARN("skipped: prompt-formats/" + folder);
    return fixtures;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() != ".json") continue;
    const Json json = Json::parse(read_file(entry.path().string()));
    Json request = {{"messages", json["messages"]}};
    for (const auto& [key, value] : json["kwargs"].items()) request[key] = value;
    auto input = read_render_input(request.dump());
    INFO(entry.path().string() << (input ? "" : input.error().message));
    REQUIRE(input);
    fixtures.push_back(
        {.name = entry.path().stem().string(),
         .input = *std::move(input),
         .rendered = json["rendered"].is_null() ? "" : json["rendered"].get<std::string>(),
         .error = json["error"].is_null() ? "" : json["error"].get<std::string>()});
  }
  std::sort(fixtures.begin(), fixtures.end(), [](const Fixture& a, const Fixture& b) {
    return a.name < b.name;
  });
  return fixtures;
}

std::string Random::text(int parts_max) {
  static constexpr std::array<std::string_view, 34> kParts{"a",
                                                           "B",
                                                           "hotel ",
                                                           "7",
                                                           " ",
                                                           "\n",
                                                           "\t",
                                                           ",",
                                                           ":",
                                                           "{",
                                                           "}",
                                                           "[",
                                                           "]",
                                                           "(",
                                                           ")",
                                                           "=",
                                                           "\"",
                                                           "'",
                                                           "\\",
                                                           "\\n",
                                                           "é",
                                                           "\xE2\x82\xAC",
                                                           "日本",
                                                           "\xF0\x9F\x98\x80",
                                                           "\xC2\xA0",
                                                           "<escape>",
                                                           "<end_function_call>",
                                                           "<end_of_turn>",
                                                           "None",
                                                           "true",
                                                           "#",
                                                           "`",
                                                           "$x",
                                                           "</s>"};
  std::string out;
  for (int i = below(parts_max + 1); i > 0; --i) {
    out += kParts[static_cast<std::size_t>(below(static_cast<int>(kParts.size())))];
  }
  return out;
}

std::string Random::identifier() {
  std::string out(1, static_cast<char>((below(2) == 0 ? 'a' : 'A') + below(26)));
  for (int i = below(6); i > 0; --i) out += "abcXYZ_019"[below(10)];
  return out;
}

std::string Random::json(int depth) {
  switch (below(depth > 0 ? 8 : 6)) {
    case 0:
      return json_quote(text(6));
    case 1:
      return std::to_string(below(2000001) - 1000000);
    case 2:
      return std::to_string(below(2001) - 1000) + "." + std::to_string(below(1000) + 1);
    case 3:
      return std::array<const char*, 6>{"1e-07",
                                        "1.5e+20",
                                        "0.0001",
                                        "-0.0",
                                        "1e+16",
                                        "123456789.5"}[static_cast<std::size_t>(below(6))];
    case 4:
      return std::array<const char*, 3>{
          "true", "false", "null"}[static_cast<std::size_t>(below(3))];
    case 5:
      return json_quote(identifier());
    case 6: {
      std::string out = "[";
      for (int i = below(4); i > 0; --i) out += json(depth - 1) + (i > 1 ? "," : "");
      return out + "]";
    }
    default:
      return json_object(depth - 1);
  }
}

std::string Random::json_object(int depth) {
  std::set<std::string> keys;
  for (int i = below(5); i > 0; --i) {
    keys.insert(any_key_ && below(2) == 0 ? text(3) : identifier());
  }
  std::string out = "{";
  for (const std::string& key : keys) {
    out += (out.size() > 1 ? "," : "") + json_quote(key) + ":" + json(depth);
  }
  return out + "}";
}

std::vector<Segment> tail(const std::vector<Segment>& whole, const std::vector<Segment>& head) {
  std::vector<Segment> rest = joined(whole);
  for (const Segment& segment : joined(head)) {
    REQUIRE(!rest.empty());
    REQUIRE(rest.front().kind == segment.kind);
    REQUIRE(rest.front().text.starts_with(segment.text));
    rest.front().text.erase(0, segment.text.size());
    if (rest.front().text.empty()) rest.erase(rest.begin());
  }
  return rest;
}

std::vector<Segment> as_output(const Dialect& dialect, const std::vector<Segment>& rendered) {
  const std::vector<std::string> names = dialect.control_tokens();
  std::vector<Segment> out;
  for (const Segment& segment : rendered) {
    if (segment.kind == Segment::Kind::data) {
      out.push_back(segment);
      continue;
    }
    std::string_view text = segment.text;
    while (!text.empty()) {
      const auto name = std::find_if(
          names.begin(), names.end(), [&](const std::string& n) { return text.starts_with(n); });
      const std::size_t length = name == names.end() ? 1 : name->size();
      const auto kind = name == names.end() ? Segment::Kind::data : Segment::Kind::control;
      out.push_back({.kind = kind, .text = std::string(text.substr(0, length))});
      text.remove_prefix(length);
    }
  }
  return out;
}

Fed feed(const Dialect& dialect, const std::vector<Segment>& segments, std::size_t piece_bytes) {
  const auto parser = dialect.make_parser();
  std::vector<ParseEvent> events;
  for (const Segment& segment : segments) {
    const bool whole = segment.kind == Segment::Kind::control || piece_bytes == 0;
    const std::size_t step = whole ? segment.text.size() : piece_bytes;
    for (std::size_t at = 0; at < segment.text.size(); at += step) {
      for (ParseEvent& event :
           parser->feed(std::string_view(segment.text).substr(at, step), segment.kind)) {
        add_text(events, std::move(event));
      }
    }
  }
  return {.events = std::move(events), .output = parser->finish()};
}

Fed feed_cut(const Dialect& dialect, const std::vector<Segment>& segments, std::size_t cut) {
  std::vector<Segment> pieces;
  std::size_t seen = 0;
  for (const Segment& segment : segments) {
    const bool here =
        segment.kind == Segment::Kind::data && cut > seen && cut < seen + segment.text.size();
    if (here) {
      pieces.push_back({segment.kind, segment.text.substr(0, cut - seen)});
      pieces.push_back({segment.kind, segment.text.substr(cut - seen)});
    } else {
      pieces.push_back(segment);
    }
    if (segment.kind == Segment::Kind::data) seen += segment.text.size();
  }
  return feed(dialect, pieces, 0);
}

void check_told(const Fed& fed) {
  using Kind = ParseEvent::Kind;
  if (!fed.output) return;
  std::vector<ToolCall> told;
  bool is_open = false;
  for (const ParseEvent& event : fed.events) {
    if (event.kind == Kind::call_started) {
      REQUIRE_FALSE(is_open);
      is_open = true;
      told.push_back({.name = event.text, .arguments = ""});
    } else if (event.kind == Kind::call_arguments) {
      REQUIRE(is_open);
      told.back().arguments += event.text;
    } else if (event.kind == Kind::call_finished) {
      REQUIRE(is_open);
      is_open = false;
      REQUIRE(told.back() == event.call);
    }
  }
  const std::vector<ToolCall>& calls = fed.output->tool_calls;
  // What only the end of the output completes is in the result alone.
  REQUIRE(told.size() <= calls.size());
  for (std::size_t i = 0; i < told.size(); ++i) {
    CHECK(told[i].name == calls[i].name);
    const bool is_whole = i + 1 < told.size() || !is_open;
    CHECK((is_whole ? calls[i].arguments == told[i].arguments
                    : calls[i].arguments.starts_with(told[i].arguments)));
  }
}

void check_calls_however_cut(const Dialect& dialect,
                             const std::vector<Segment>& output,
                             const std::vector<ToolCall>& calls) {
  const Fed once = feed(dialect, output, 0);
  INFO((once.output ? "" : once.output.error().message));
  REQUIRE(once.output);
  REQUIRE(once.output->tool_calls.size() == calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    CHECK(once.output->tool_calls[i].name == calls[i].name);
    CHECK(nlohmann::json::parse(once.output->tool_calls[i].arguments) ==
          nlohmann::json::parse(calls[i].arguments));
  }
  std::size_t bytes = 0;
  for (const Segment& segment : output) bytes += segment.text.size();
  for (std::size_t cut = 1; cut < bytes; ++cut) {
    const Fed fed = feed_cut(dialect, output, cut);
    REQUIRE(fed.events == once.events);
    REQUIRE(fed.output);
    REQUIRE(*fed.output == *once.output);
  }
  check_told(once);
  CHECK(feed(dialect, output, 1).events == once.events);
}

}  // namespace facet::prompts::test
