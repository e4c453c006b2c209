// Where a model's chat template is found, and what of it is refused.
#include "engine/model/chat_template.h"

#include "tests/support/catch.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

using namespace facet;
using namespace facet::engine;
using namespace facet::test;

TEST_CASE("a folder's template is looked for as transformers does", "[engine][config]") {
  const TempDir folder;
  const auto read = [&] { return read_hf_chat_template(folder.path()); };
  REQUIRE(read());
  CHECK(read()->empty());
  const nlohmann::ordered_json named = {
      {"chat_template",
       {{{"name", "tool_use"}, {"template", "T"}}, {{"name", "default"}, {"template", "D"}}}}};
  write_bytes(folder.path() / "tokenizer_config.json", named.dump());
  CHECK(*read() == "D");
  write_bytes(folder.path() / "tokenizer_config.json", R"({"chat_template": "C"})");
  CHECK(*read() == "C");
  write_bytes(folder.path() / "chat_template.json", R"({"chat_template": "B"})");
  CHECK(*read() == "B");
  write_bytes(folder.path() / "chat_template.jinja", "A\n");
  CHECK(*read() == "A\n");
}

TEST_CASE("a template that is none is refused by file", "[engine][config]") {
  const TempDir folder;
  for (const char* text : {"7",
                           "{",
                           R"({"chat_template": 7})",
                           R"({"chat_template": [7]})",
                           R"({"chat_template": [{"name": "default"}]})",
                           R"({"chat_template": [{"name": "default", "template": 7}]})"}) {
    INFO(text);
    write_bytes(folder.path() / "chat_template.json", text);
    const auto refused = read_hf_chat_template(folder.path());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_data);
    CHECK_THAT(refused.error().message, Catch::Contains("chat_template.json"));
  }
  write_bytes(folder.path() / "chat_template.jinja", std::string(kChatTemplateBytesMax + 1, 'a'));
  const auto large = read_hf_chat_template(folder.path());
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Code::limit_exceeded);
}

TEST_CASE("a GGUF's template is its key", "[engine][gguf]") {
  GgufWriter without;
  GgufWriter with;
  with.add_string("tokenizer.chat_template", "{{ bos_token }}");
  const std::string bytes_without = without.bytes();
  const std::string bytes_with = with.bytes();
  const auto none = Gguf::parse(std::as_bytes(std::span(bytes_without)));
  const auto some = Gguf::parse(std::as_bytes(std::span(bytes_with)));
  REQUIRE(none);
  REQUIRE(some);
  CHECK(read_gguf_chat_template(*none)->empty());
  CHECK(*read_gguf_chat_template(*some) == "{{ bos_token }}");
}
