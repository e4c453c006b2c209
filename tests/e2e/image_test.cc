// The program with pictures, on a tiny model folder with a vision tower of random weights: what is
// checked is that the picture goes through, and what is said where it cannot.
#include "engine/vision/image.h"

#include "engine/engine.h"
#include "engine/reference/forward.h"
#include "tests/e2e/numbers.h"
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"
#include "tests/support/tiny_png.h"

#include <algorithm>
#include <cmath>

using namespace facet::test;

namespace {

/// A PNG of one red pixel, in hexadecimal.
constexpr std::string_view kPng =
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c494441"
    "54789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082";

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

struct Fixture {
  TempDir home;
  std::string picture;
  std::string model;
  std::string text_model;

  Fixture() {
    const TinyModel tiny{.context_tokens_max = 1024};
    write_tiny_multimodal_folder(home.path() / "model", tiny);
    write_tiny_gguf(home.path() / "text.gguf", tiny);
    write_bytes(home.path() / "mmproj.gguf", vision_gguf(tiny_vision_config(tiny)).bytes());
    write_bytes(home.path() / "red.png", from_hex(kPng));
    picture = quoted((home.path() / "red.png").string());
    model = quoted((home.path() / "model").string());
    text_model = quoted((home.path() / "text.gguf").string());
  }
  [[nodiscard]] Finished generate(const std::string& arguments) const {
    return run_facet(home.path(), "generate --json -n 4 --dialect gemma3 " + arguments);
  }
};

}  // namespace

TEST_CASE("generate shows a picture to the model", "[e2e]") {
  const Fixture fixture;
  const Finished plain = fixture.generate("--model " + fixture.model + " --chat -p hello");
  const Finished shown =
      fixture.generate("--model " + fixture.model + " --chat -p hello --image " + fixture.picture);
  INFO(plain.err << shown.err);
  REQUIRE(plain.exit_code == 0);
  REQUIRE(shown.exit_code == 0);
  const auto tokens = [](const Finished& finished) {
    return finished.json().at("usage").at("prompt_tokens").get<int>();
  };
  // 9 soft tokens, two tokens around them, and at least one for the empty lines.
  CHECK(tokens(shown) >= tokens(plain) + 12);
  const Finished raw = fixture.generate("--model " + fixture.model +
                                        " -p 'see <start_of_image>' --image " + fixture.picture);
  CHECK(raw.exit_code == 0);
}

TEST_CASE("a picture without a place, a place without a picture", "[e2e]") {
  const Fixture fixture;
  const Finished nowhere =
      fixture.generate("--model " + fixture.model + " -p hello --image " + fixture.picture);
  CHECK(nowhere.exit_code == 2);
  CHECK_THAT(nowhere.err, Catch::Contains("0 places for images, 1 images are given"));
  const Finished missing =
      fixture.generate("--model " + fixture.model + " --chat -p hello --image /no/such.png");
  CHECK(missing.exit_code != 0);
  CHECK_THAT(missing.err, Catch::Contains("/no/such.png"));
}

TEST_CASE("a text-only model refuses a picture, unless it is given a tower", "[e2e]") {
  const Fixture fixture;
  const std::string arguments =
      "--model " + fixture.text_model + " --chat -p hello --image " + fixture.picture;
  const Finished refused = fixture.generate(arguments);
  CHECK(refused.exit_code != 0);
  CHECK_THAT(refused.err, Catch::Contains("reads text only"));
  CHECK(refused.json().at("error").at("code") == "unsupported");
  // The vocabulary of the text file has no <end_of_image>.
  const Finished lacking = fixture.generate(arguments + " --mmproj " +
                                            quoted((fixture.home.path() / "mmproj.gguf").string()));
  CHECK_THAT(lacking.err, Catch::Contains("<end_of_image>"));
}

TEST_CASE("chat shows pictures with the first question", "[e2e]") {
  const Fixture fixture;
  const std::string arguments =
      "chat --json --dialect gemma3-json --embedder none --tools current_time "
      "--step-tokens-max 4 --steps-max 1 --model " +
      fixture.model;
  const Finished plain = run_facet(fixture.home.path(), arguments, "hello\n");
  const Finished shown =
      run_facet(fixture.home.path(), arguments + " --image " + fixture.picture, "hello\n");
  INFO(plain.err << shown.err << shown.out);
  const auto tokens = [](const Finished& finished) {
    return finished.json().at("usage").at("prompt_tokens").get<int>();
  };
  CHECK(tokens(shown) >= tokens(plain) + 12);
}

TEST_CASE("debug logits puts pictures where the placeholders are", "[e2e]") {
  using namespace facet::engine;
  const Fixture fixture;
  const auto folder = fixture.home.path() / "model";
  const auto model = Model::load(folder);
  const auto engine = Engine::load({.model = folder, .threads = 1});
  REQUIRE(engine);
  const auto image = load_image(fixture.home.path() / "red.png");
  REQUIRE(image);
  const auto soft = (*engine)->encode_image(*image);
  REQUIRE(soft);
  const std::vector<std::shared_ptr<const SoftTokens>> images{*soft, *soft};
  std::vector<TokenId> ids{2, 210, 211};
  for (const auto& each : images) {
    ids.insert(ids.end(), each->ids.begin(), each->ids.end());
    ids.push_back(77);
  }
  const auto spans = find_images(ids, images, (*model)->config().hidden);
  REQUIRE(spans);
  const auto expected = reference_logits((*model)->config(), weights_of(**model), ids, *spans);
  const auto out = fixture.home.path() / "l.npy";
  const std::string command = "debug logits --json --out " + quoted(out.string()) + " --image " +
                              fixture.picture + " --image " + fixture.picture + " --model ";
  const std::string run_of_9 = ",262144,262144,262144,262144,262144,262144,262144,262144,262144";
  const std::string given = " --ids 2,210,211" + run_of_9 + ",77";
  const auto check = [&](const std::string& arguments) {
    const Finished run = run_facet(fixture.home.path(), command + arguments);
    INFO(run.err);
    REQUIRE(run.exit_code == 0);
    const std::vector<float> logits =
        read_npy(out, ids.size(), static_cast<std::size_t>((*model)->config().vocabulary));
    for (std::size_t i = 0; i < logits.size(); ++i) {
      REQUIRE(std::abs(logits[i] - expected[i]) < 1e-4);
    }
  };
  check(fixture.model + given + run_of_9 + ",77");
  check(fixture.model + given + ",262144,77");
  check(fixture.text_model + given + ",262144,77 --mmproj " +
        quoted((fixture.home.path() / "mmproj.gguf").string()));

  const auto refused = [&](const std::string& ids_given, const char* part) {
    const Finished run = run_facet(fixture.home.path(), command + fixture.model + ids_given);
    CHECK(run.exit_code == 2);
    CHECK_THAT(run.err, Catch::Contains(part));
  };
  refused(given, "placeholders for 1 images, 2 are given");
  refused(" --ids 2,262144,5,262144,6,262144", "placeholders for 3 images, 2 are given");
  refused(" --ids 2,262144,262144,5,262144", "2 image placeholders at id 1, expected 9 or 1");
  refused(" --pan-and-scan" + given, "2 are given");
}

TEST_CASE("generate judges pictures by policies", "[e2e]") {
  const Fixture fixture;
  write_bytes(fixture.home.path() / "model" / "tokenizer_config.json",
              R"({"added_tokens_decoder": {"60": {"content": "<end_of_image>"},
                  "61": {"content": "Yes"}, "62": {"content": "No"}}})");
  const std::string begin = "generate --model " + fixture.model + " --image " + fixture.picture;
  const Finished all = run_facet(fixture.home.path(), begin + " --json --dialect shieldgemma");
  INFO(all.err);
  REQUIRE(all.exit_code == 0);
  const auto policies = all.json().at("images").at(0).at("policies");
  REQUIRE(policies.size() == 3);
  for (const auto& policy : policies) {
    CHECK(policy.at("probability").get<double>() > 0.0);
    CHECK(policy.at("probability").get<double>() < 1.0);
  }
  const Finished one = run_facet(
      fixture.home.path(), begin + " --json --policy sexual --policy 'No red: No pixel is red.'");
  REQUIRE(one.exit_code == 0);
  CHECK(one.json().at("images").at(0).at("policies").at(0) == policies.at(1));
  const Finished text = run_facet(fixture.home.path(), begin + " --policy sexual");
  CHECK_THAT(text.out, Catch::StartsWith("0.") && Catch::Contains("sexual"));
  const Finished unknown = run_facet(fixture.home.path(), begin + " --policy hate");
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.err, Catch::Contains("known are dangerous, sexual, violence"));
  const Finished blind =
      run_facet(fixture.home.path(), "generate --policy sexual --model " + fixture.model);
  CHECK(blind.exit_code == 2);
}

TEST_CASE("generate translates a text or a picture", "[e2e]") {
  const Fixture fixture;
  const std::string begin = "generate --json -n 4 --from de --to en --model " + fixture.model;
  const auto run = [&](const std::string& more) {
    return run_facet(fixture.home.path(), begin + more);
  };
  const Finished text = run(" -p Hallo");
  INFO(text.err);
  REQUIRE(text.exit_code == 0);
  CHECK_THAT(text.err, Catch::Contains("does not say that it is made for translategemma"));
  CHECK_THAT(run(" --dialect translategemma -p Hallo").err, !Catch::Contains("does not say"));
  // The prompt is a few sentences of single letters in this vocabulary.
  CHECK(text.json().at("usage").at("prompt_tokens").get<int>() > 300);
  CHECK(run(" --image " + fixture.picture).exit_code == 0);
  CHECK(run("").exit_code == 2);
  CHECK(run(" --chat -p Hallo").exit_code == 2);
  CHECK(run(" --dialect gemma3 -p Hallo").exit_code == 2);
  CHECK(run(" -p Hallo --image " + fixture.picture).exit_code == 2);
  const Finished half =
      run_facet(fixture.home.path(), "generate --from de -p Hallo --model " + fixture.model);
  CHECK(half.exit_code == 2);
  const Finished chat = run_facet(fixture.home.path(), "ask --dialect translategemma question");
  CHECK(chat.exit_code == 2);
  CHECK_THAT(chat.err, Catch::Contains("--from and --to"));
}

TEST_CASE("prompt render writes the prompts of the single questions", "[e2e]") {
  const TempDir home;
  const Finished translated =
      run_facet(home.path(),
                "prompt render --dialect translategemma",
                R"({"messages":[{"role":"user","content":[{"type":"text","source_lang_code":"en",)"
                R"("target_lang_code":"de","text":"Hello world."}]}]})");
  CHECK(translated.exit_code == 0);
  CHECK_THAT(translated.out,
             Catch::EndsWith(":\n\n\nHello world.<end_of_turn>\n<start_of_turn>model\n"));
  const Finished judged = run_facet(
      home.path(),
      "prompt render --dialect shieldgemma",
      R"({"messages":[{"role":"user","content":[{"type":"image"},{"type":"text","text":"P"}]}]})");
  CHECK(judged.exit_code == 0);
  CHECK_THAT(judged.out, Catch::Contains("<BEGIN_SAFETY_POLICY>\n\n                P\n\n"));
}

TEST_CASE("ask shows a picture, and a resumed run shows the same one", "[e2e]") {
  const Fixture fixture;
  const std::string begin =
      "ask --json --dialect gemma3-json --embedder none --tools current_time --step-tokens-max 4 "
      "--model " +
      fixture.model + " ";
  const auto run = [&](const std::string& arguments) {
    return run_facet(fixture.home.path(), arguments);
  };
  const auto tokens = [](const Finished& finished) {
    return finished.json().at("usage").at("prompt_tokens").get<int>();
  };
  const Finished plain = run(begin + "--no-journal hello");
  const Finished shown = run(begin + "--image " + fixture.picture + " hello");
  INFO(plain.err << shown.err << shown.out);
  REQUIRE(shown.exit_code == 3);  // The output was cut after 4 tokens.
  CHECK(tokens(shown) >= tokens(plain) + 12);
  const Finished resumed = run("ask --json --resume last --step-tokens-max 6");
  INFO(resumed.err);
  CHECK(resumed.exit_code == 3);
  CHECK(tokens(resumed) == tokens(shown));
  write_bytes(fixture.home.path() / "red.png", tiny_png(0, 0, 255));
  const Finished changed = run("ask --json --resume last --step-tokens-max 8");
  CHECK(changed.exit_code == 2);
  CHECK_THAT(changed.err, Catch::Contains("red.png: it is not the picture of the recorded run"));
  const Finished both = run("ask --resume last --image " + fixture.picture);
  CHECK(both.exit_code == 2);
}

TEST_CASE("a step of a workflow shows its images", "[e2e]") {
  const Fixture fixture;
  write_bytes(fixture.home.path() / "w.yaml",
              "name: w\nvariables: {photo: red.png}\nsteps:\n"
              "  - {name: look, ask: hello, images: \"${photo}\"}\n");
  const std::string begin =
      "run --json --dialect gemma3-json --embedder none --tools current_time "
      "--step-tokens-max 4 --model " +
      fixture.model + " " + quoted((fixture.home.path() / "w.yaml").string());
  const Finished shown = run_facet(fixture.home.path(), begin + " --set photo=" + fixture.picture);
  INFO(shown.err);
  CHECK(shown.exit_code == 3);
  CHECK(shown.json().at("steps").at(0).at("result").at("usage").at("prompt_tokens").get<int>() >
        12);
  const Finished missing = run_facet(fixture.home.path(), begin + " --set photo=/no/such.png");
  CHECK(missing.exit_code == 1);
  CHECK_THAT(missing.err, Catch::Contains("step look: cannot open /no/such.png"));
}

TEST_CASE("models inspect shows the chat template and what it is for", "[e2e]") {
  const Fixture fixture;
  const auto inspect = [&](const std::string& more) {
    return run_facet(fixture.home.path(), "models inspect " + fixture.model + more);
  };
  CHECK(inspect(" --json").json().at("chat_template").is_null());
  const std::string text = "{{ '<start_of_turn>user' }}{%- set c = item['source_lang_code'] -%}\n";
  write_bytes(fixture.home.path() / "model" / "chat_template.jinja", text);
  const auto json = inspect(" --json").json();
  CHECK(json.at("chat_template").at("bytes") == text.size());
  CHECK(json.at("chat_template").at("words_of") == "translategemma");
  CHECK(json.at("chat_template").at("sha256").get<std::string>().size() == 64);
  CHECK(json.at("dialect") == "translategemma");
  CHECK(inspect(" --template").out == text);
  const Finished asked = run_facet(fixture.home.path(), "ask hello --model " + fixture.model);
  CHECK(asked.exit_code == 2);
  CHECK_THAT(asked.err, Catch::Contains("--from and --to"));
  write_bytes(fixture.home.path() / "model" / "preprocessor_config.json", R"({"resample": 3})");
  const Finished refused = inspect("");
  CHECK(refused.exit_code == 5);
  CHECK_THAT(refused.err, Catch::Contains("preprocessor_config.json: resample is 3"));
}

TEST_CASE("inspect and doctor say what fits a device, pictures included", "[e2e]") {
  const TempDir home;
  const TinyModel tiny;
  write_tiny_gguf(home.path() / "m.gguf", tiny);
  write_bytes(home.path() / "tower.gguf", vision_gguf(tiny_vision_config(tiny)).bytes());
  const std::string model = quoted((home.path() / "m.gguf").string());
  const std::string tower = " --mmproj " + quoted((home.path() / "tower.gguf").string());
  const auto inspect = [&](const std::string& more) {
    return run_facet(home.path(), "models inspect --json " + model + more).json();
  };
  const auto doctor = [&](const std::string& more) {
    return run_facet(home.path(), "doctor --embedder none --json -m " + model + more)
        .json()
        .at("model");
  };
  const auto text = inspect("").at("device_memory");
  CHECK(text.at("vision_bytes") == 0);
  CHECK_FALSE(text.contains("context_tokens_that_fit_with_vision"));
  CHECK(text.at("context_tokens_that_fit").at("80 GiB") == text.at("context_tokens"));
  for (const auto& both : {inspect(tower), doctor(tower)}) {
    const auto& memory = both.at("device_memory");
    CHECK(memory.at("vision_bytes").get<std::int64_t>() > 0);
    CHECK(memory.at("context_tokens_that_fit_with_vision").at("80 GiB") ==
          text.at("context_tokens"));
  }
  // Flags that doctor takes count.
  CHECK(doctor(" --context 16").at("device_memory").at("context_tokens") == 16);
  CHECK(doctor(" --context 1000000").at("ok") == false);
  CHECK(doctor(" --weights fp8").at("device_memory").at("weight_bytes").get<std::int64_t>() <
        text.at("weight_bytes").get<std::int64_t>());
}
