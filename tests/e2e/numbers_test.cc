// facet debug logits and facet embed on small random models, against the engine's scalar reference.
#include "tests/e2e/numbers.h"

#include "engine/model/model.h"
#include "engine/reference/forward.h"
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cmath>
#include <vector>

using namespace facet::test;
using facet::engine::Model;
using facet::engine::TokenId;

TEST_CASE("debug logits writes the logits of every position", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  write_tiny_folder(home.path() / "hf", TinyModel{});
  const auto model = Model::load(home.path() / "m.gguf");
  REQUIRE(model.has_value());
  const std::vector<TokenId> ids = {2, 10, 20, 109, 300, 300, 7, 8, 9, 450, 2, 77, 78, 79, 5, 6, 1};
  std::string list;
  for (const TokenId id : ids) list += (list.empty() ? "" : ",") + std::to_string(id);
  const auto expected =
      facet::engine::reference_logits((*model)->config(), weights_of(**model), ids);
  const std::size_t cols = expected.size() / ids.size();
  for (const char* name : {"m.gguf", "hf"}) {
    const auto out = home.path() / (std::string(name) + ".npy");
    const Finished run =
        run_facet(home.path(),
                  "debug logits --model " + quoted((home.path() / name).string()) + " --ids " +
                      list + " --out " + quoted(out.string()) + " --json");
    INFO(name << ' ' << run.err);
    REQUIRE(run.exit_code == 0);
    CHECK(run.json().at("rows") == ids.size());
    const std::vector<float> logits = read_npy(out, ids.size(), cols);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      REQUIRE(std::abs(logits[i] - expected[i]) < 1e-4);
    }
  }
}

TEST_CASE("debug logits needs no tokenizer and keeps placeholder rows", "[e2e]") {
  const TempDir home;
  const auto folder = home.path() / "hf";
  write_tiny_folder(folder, TinyModel{});
  std::filesystem::remove(folder / "tokenizer.model");
  const auto out = home.path() / "l.npy";
  const std::string arguments = "debug logits --model " + quoted(folder.string()) + " --out " +
                                quoted(out.string()) + " --ids ";
  const auto rows = tiny_vocabulary().pieces.size();
  const Finished run = run_facet(home.path(), arguments + std::to_string(rows - 1));
  INFO(run.err);
  CHECK(run.exit_code == 0);
  read_npy(out, 1, rows);
}

TEST_CASE("debug logits refuses what it cannot do and leaves no file", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  write_tiny_gguf(home.path() / "e.gguf", TinyModel{.is_embedder = true});
  const auto run = [&](const std::string& model, const std::string& ids, const std::string& out) {
    return run_facet(home.path(),
                     "debug logits --model " + quoted((home.path() / model).string()) + " --ids " +
                         quoted(ids) + " --out " + quoted((home.path() / out).string()));
  };
  for (const char* ids : {"", "2,,3", "2,x", "2, 3", "99999999999", "3,-1", "2,100000"}) {
    const Finished refused = run("m.gguf", ids, "bad.npy");
    INFO(ids << ": " << refused.err);
    CHECK(refused.exit_code == 2);
    CHECK_FALSE(refused.err.empty());
  }
  CHECK_THAT(run("e.gguf", "2", "bad.npy").err, Catch::Contains("embedder"));
  CHECK_THAT(run("m.gguf", "2", "no/such/folder.npy").err, Catch::Contains("no/such/folder.npy"));
  for (const auto& entry : std::filesystem::directory_iterator(home.path())) {
    CHECK(entry.path().string().find(".npy") == std::string::npos);
  }
}

TEST_CASE("models inspect says what a file holds and where it would run", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{.type = facet::engine::DType::q8_0});
  const std::string command = "models inspect " + quoted((home.path() / "m.gguf").string());
  const Finished run = run_facet(home.path(), command + " --json");
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  const auto info = run.json();
  CHECK(info.at("architecture") == "gemma3");
  CHECK(info.at("weight_types") == "Q8_0 x22, F32 x19");
  CHECK(info.at("layers") == 3);
  CHECK(info.at("dialect") == "functiongemma");
  CHECK(info.at("devices").at("cpu") == info.at("cpu_path"));
  CHECK_FALSE(info.at("devices").at("cuda").get<std::string>().empty());
  const auto& tokenizer = info.at("tokenizer");
  CHECK(tokenizer.at("pieces") == tiny_vocabulary().pieces.size());
  CHECK(tokenizer.at("control_pieces") == 108);
  CHECK(tokenizer.at("bos") == 2);
  CHECK(tokenizer.at("add_eos") == false);
  const Finished text = run_facet(home.path(), command);
  CHECK_THAT(text.out, Catch::Contains("Q8_0 x22") && Catch::Contains("SentencePiece BPE"));
  CHECK_THAT(text.out, !Catch::Contains("{"));  // For people: JSON is asked for with --json.
  const Finished none = run_facet(home.path(), command + " --template");
  CHECK(none.exit_code == 1);
  CHECK_THAT(none.err, Catch::Contains("m.gguf' has no chat template"));
}

TEST_CASE("models quantize writes a file that inspect reads", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  const std::string in = quoted((home.path() / "m.gguf").string());
  const std::string out = quoted((home.path() / "q.gguf").string());
  const Finished run =
      run_facet(home.path(), "models quantize " + in + " " + out + " --type Q4_0 --json");
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  CHECK(run.json().at("quantized") == 22);
  const Finished info = run_facet(home.path(), "models inspect " + out + " --json");
  CHECK(info.json().at("weight_types") == "Q4_0 x22, F32 x19");
  const Finished refused =
      run_facet(home.path(), "models quantize " + in + " " + out + " --type x");
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.err, Catch::Contains("'x'"));
  const Finished lost = run_facet(home.path(), "models quantize " + in + " /no/such/folder/q.gguf");
  CHECK_THAT(lost.err, Catch::Contains("/no/such/folder") && Catch::Contains("No such file"));
}

TEST_CASE("models quantize writes a folder as a GGUF with the same logits", "[e2e]") {
  const TempDir home;
  write_tiny_folder(home.path() / "hf", TinyModel{.layers = 7, .rope_factor = 8.0});
  const std::string in = quoted((home.path() / "hf").string());
  const std::string out = quoted((home.path() / "m.gguf").string());
  const Finished run = run_facet(home.path(), "models quantize " + in + " " + out + " --type F32");
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  CHECK_THAT(run.out, Catch::Contains("0 tensors changed for F32"));
  const auto cols = tiny_vocabulary().pieces.size();
  std::vector<std::vector<float>> logits;
  for (const std::string& model : {in, out}) {
    const auto npy = home.path() / "l.npy";
    const Finished wrote = run_facet(home.path(),
                                     "debug logits --ids 2,10,20,30,40,50,60,70,80,90 --model " +
                                         model + " --out " + quoted(npy.string()));
    INFO(wrote.err);
    REQUIRE(wrote.exit_code == 0);
    logits.push_back(read_npy(npy, 10, cols));
  }
  CHECK(logits[0] == logits[1]);
}

TEST_CASE("embed prints a vector for each line", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "e.gguf", TinyModel{.is_embedder = true, .dense_hidden = 128});
  const auto model = Model::load(home.path() / "e.gguf");
  REQUIRE(model.has_value());
  const auto& tokenizer = (*model)->tokenizer();
  const std::string command =
      "embed --model " + quoted((home.path() / "e.gguf").string()) + " --json";
  const auto check = [&](const std::string& flags, const std::string& prompt) {
    const Finished run = run_facet(home.path(), command + flags, "hello\n\nthe world\r\n");
    INFO(run.err);
    REQUIRE(run.exit_code == 0);
    const auto vectors = run.json().at("vectors");
    REQUIRE(vectors.size() == 3);
    std::size_t at = 0;
    for (const char* text : {"hello", "", "the world"}) {
      std::vector<TokenId> ids = tokenizer.encode(prompt + text);
      ids.insert(ids.begin(), tokenizer.bos());
      ids.push_back(tokenizer.eos());
      const auto expected =
          facet::engine::reference_embedding((*model)->config(), weights_of(**model), ids);
      const auto vector = vectors.at(at++).get<std::vector<double>>();
      REQUIRE(vector.size() == expected.size());
      for (std::size_t i = 0; i < vector.size(); ++i) {
        REQUIRE(std::abs(vector[i] - expected[i]) < 2e-6);
      }
    }
  };
  check("", "");
  check(" --prompt-name query", "task: search result | query: ");
  check(" --prompt-name document", "title: none | text: ");

  const Finished none = run_facet(home.path(), command, "");
  CHECK(none.json().at("vectors").empty());
  const Finished unknown = run_facet(home.path(), command + " --prompt-name x", "a");
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.err, Catch::Contains("Retrieval-query"));
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  const Finished generator =
      run_facet(home.path(), "embed --model " + quoted((home.path() / "m.gguf").string()), "a");
  CHECK(generator.exit_code == 2);
  CHECK_THAT(generator.err, Catch::Contains("not an embedder"));
}
