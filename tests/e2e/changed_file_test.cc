// A model file that changes while it is mapped: group 26 of the hostile model files.
#include "tests/e2e/live_facet.h"
#include "tests/support/reference.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

using namespace facet::test;

namespace {

/// In the JSON of every run that has come as far as the model.
constexpr const char* kAnswered = R"("steps":1)";

/// A chat with a model of random weights, which has given its first answer.
LiveFacet chatting(const std::filesystem::path& home) {
  write_tiny_gguf(home / "m.gguf", TinyModel{.context_tokens_max = 8192});
  return LiveFacet(home,
                   {"chat", "--model", (home / "m.gguf").string(), "--tokens-max", "4", "--json"});
}

}  // namespace

TEST_CASE("a model file that is cut short in use ends the program by name, with 5", "[e2e]") {
  const TempDir home;
  LiveFacet facet = chatting(home.path());
  facet.say("hello\n");
  REQUIRE(facet.hear(kAnswered));
  std::filesystem::resize_file(home.path() / "m.gguf", 4096);
  facet.say("hello\n");
  CHECK(facet.wait() == 5);
  const auto error = read_text(home.path() / "stderr");
  REQUIRE(error.has_value());
  CHECK_THAT(*error, Catch::Contains("m.gguf was cut short while it was in use"));
}

TEST_CASE("a model file that grows in use, or is replaced, stays the model it was", "[e2e]") {
  const TempDir home;
  LiveFacet facet = chatting(home.path());
  facet.say("hello\n");
  REQUIRE(facet.hear(kAnswered));
  std::filesystem::resize_file(home.path() / "m.gguf", 1 << 24);
  facet.forget();
  facet.say("the hello\n");
  REQUIRE(facet.hear(kAnswered));
  write_bytes(home.path() / "next.gguf", "");
  std::filesystem::rename(home.path() / "next.gguf", home.path() / "m.gguf");
  facet.forget();
  facet.say("hello hello\n");
  REQUIRE(facet.hear(kAnswered));
  facet.send_signal(SIGINT);
  CHECK(facet.wait() == 130);
}
