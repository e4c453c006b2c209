// The command line without a model: forms, exit codes, errors.
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"

using namespace facet::test;

TEST_CASE("help lists the commands and the exit codes", "[e2e]") {
  const TempDir home;
  const Finished help = run_facet(home.path(), "--help");
  CHECK(help.exit_code == 0);
  for (const char* command : {"ask",
                              "chat",
                              "index",
                              "search",
                              "run",
                              "serve",
                              "tools",
                              "plugin",
                              "tokenize",
                              "prompt",
                              "generate",
                              "embed",
                              "debug",
                              "models",
                              "doctor"}) {
    CHECK_THAT(help.out, Catch::Contains(command));
  }
  CHECK_THAT(help.out, Catch::Contains("Exit codes"));
}

TEST_CASE("a wrong command line is one line on stderr and exit code 2", "[e2e]") {
  const TempDir home;
  for (const char* arguments : {"",
                                "nonsense",
                                "ask",
                                "search",
                                "ask q --steps-max x",
                                "search q --top-k 0",
                                "tokenize --unknown"}) {
    const Finished finished = run_facet(home.path(), arguments);
    INFO(arguments);
    CHECK(finished.exit_code == 2);
    CHECK(finished.out.empty());
    CHECK_THAT(finished.err, Catch::StartsWith("facet: "));
  }
}

TEST_CASE("a wrong command line is told by the word that is wrong and where help is", "[e2e]") {
  const TempDir home;
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "facet: facet needs a command; facet --help lists them\n"},
      {"serach q", "facet: 'serach' is no command of facet; facet --help lists them\n"},
      {"tools", "facet: facet tools needs a command; facet tools --help lists them\n"},
      {"tools lst", "facet: 'lst' is no command of facet tools; facet tools --help lists them\n"},
      {"search --stoer x q",
       "facet: unknown flag '--stoer'; facet search --help lists the flags\n"},
      {"search --stoer=x q",
       "facet: unknown flag '--stoer'; facet search --help lists the flags\n"},
      {"models list --x", "facet: unknown flag '--x'; facet models list --help lists the flags\n"},
      {"search --stoer", "facet: unknown flag '--stoer'; facet search --help lists the flags\n"},
      {"--stoer", "facet: unknown flag '--stoer'; facet --help lists the flags\n"},
      {"search q r", "facet: 'r' is one argument too many; see facet search --help\n"},
      {"ask ' '", "facet: question is required\n"},
  };
  for (const auto& [arguments, expected] : rows) {
    const Finished finished = run_facet(home.path(), arguments);
    INFO(arguments);
    CHECK(finished.exit_code == 2);
    CHECK(finished.err == expected);
  }
  CHECK_THAT(run_facet(home.path(), "ask q --seed -1").err, Catch::Contains("'-1' is below 0"));
  CHECK_THAT(run_facet(home.path(), "serve --port 99999").err, Catch::Contains("99999"));
  for (const char* origin : {"localhost", "http://", "://x", "https://example.org/"}) {
    const Finished finished = run_facet(home.path(), "serve --origin " + quoted(origin));
    INFO(origin);
    CHECK(finished.exit_code == 2);
    CHECK_THAT(finished.err, Catch::Contains("is no origin"));
  }
}

TEST_CASE("a missing or broken model is exit code 5 and names the file", "[e2e]") {
  const TempDir home;
  const Finished missing = run_facet(home.path(), "generate --model /no/such.gguf -p x --json");
  CHECK(missing.exit_code == 5);
  CHECK_THAT(missing.err, Catch::Contains("/no/such.gguf"));
  CHECK(missing.json().at("error").at("code") == "not_found");

  const auto broken = home.path() / "broken.gguf";
  std::ofstream(broken) << "GGUF and nothing behind it";
  const Finished refused = run_facet(home.path(), "ask q --model " + quoted(broken.string()));
  CHECK(refused.exit_code == 5);
  CHECK_THAT(refused.err, Catch::Contains("broken.gguf"));
}

TEST_CASE("cuda is refused with a clear message", "[e2e]") {
  const TempDir home;
  const Finished finished = run_facet(home.path(), "generate -p x --device cuda");
  CHECK(finished.exit_code == 5);
  CHECK_THAT(finished.err, Catch::Contains("CUDA"));
}

TEST_CASE("FACET_DEVICE is what --device is when it is not given", "[e2e]") {
  const TempDir home;
  const auto with = [&](const char* device, const std::string& more) {
    ::setenv("FACET_DEVICE", device, 1);
    const Finished finished = run_facet(home.path(), "generate -p x -n 1" + more);
    ::unsetenv("FACET_DEVICE");
    return finished;
  };
  CHECK(with("cuda:63", "").exit_code == 5);  // No machine has it.
  CHECK(with("tpu", "").exit_code == 2);
  CHECK_THAT(with("tpu", "").err, Catch::Contains("tpu"));
  CHECK(with("tpu", " --device cpu").exit_code == with("cpu", "").exit_code);
}

TEST_CASE("prompt render and prompt parse speak FunctionGemma", "[e2e]") {
  const TempDir home;
  const Finished rendered =
      run_facet(home.path(),
                "prompt render --dialect functiongemma",
                R"({"messages":[{"role":"user","content":"Hi"}],"add_generation_prompt":true})");
  CHECK(rendered.exit_code == 0);
  CHECK(rendered.out == "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n");

  const Finished parsed =
      run_facet(home.path(),
                "prompt parse --dialect functiongemma",
                "<start_function_call>call:add{x:1,y:<escape>two<escape>}<end_function_call>");
  CHECK(parsed.exit_code == 0);
  CHECK(parsed.json().dump() ==
        R"({"text":"","tool_calls":[{"name":"add","arguments":{"x":1,"y":"two"}}]})");

  const Finished unknown = run_facet(home.path(), "prompt render --dialect klingon", "{}");
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.err, Catch::Contains("klingon"));
  CHECK(run_facet(home.path(), "prompt render", "not json").exit_code == 1);
}

TEST_CASE("documents are indexed, found, changed and deleted without any model", "[e2e]") {
  const TempDir home;
  const auto docs = home.path() / "docs";
  std::filesystem::create_directories(docs);
  std::ofstream(docs / "travel.md") << "# Travel\n\nThe finance director approves long trips.\n";
  std::ofstream(docs / "bike.txt") << "Bicycles are parked in the cellar.\n";
  const std::string index = "index " + quoted(docs.string()) + " --store " +
                            quoted((home.path() / "store").string()) + " --embedder none --json";
  const auto first = run_facet(home.path(), index).json();
  CHECK(first.at("added") == 2);
  CHECK(first.at("failed").empty());
  CHECK(run_facet(home.path(), index).json().at("unchanged") == 2);

  const Finished found =
      run_facet(home.path(),
                "search 'who approves trips' --embedder none --top-k 1 --json --store " +
                    quoted((home.path() / "store").string()));
  CHECK(found.exit_code == 0);
  const auto json = found.json();
  REQUIRE(json.at("passages").size() == 1);
  const auto& passage = json.at("passages")[0];
  CHECK(passage.at("document") == "travel.md");
  CHECK(passage.at("span").at("end") > passage.at("span").at("begin"));
  CHECK_THAT(passage.at("text").get<std::string>(), Catch::Contains("finance director"));

  std::filesystem::remove(docs / "bike.txt");
  CHECK(run_facet(home.path(), index).json().at("deleted") == 1);
  CHECK(run_facet(home.path(), "search q --store /no/such/store").exit_code == 1);
}

TEST_CASE("tools are listed and called without a model", "[e2e]") {
  const TempDir home;
  const auto list = run_facet(home.path(), "tools list --json").json();
  REQUIRE(list.at("tools").size() == 2);
  CHECK(list.at("tools")[0].at("name") == "calculator");

  const Finished sum = run_facet(home.path(), "tools call calculator '{\"expression\":\"140*4\"}'");
  CHECK(sum.exit_code == 0);
  CHECK(sum.out == "{\"result\":560}\n");
  const Finished bad =
      run_facet(home.path(), "tools call calculator '{\"expression\":\"1/0\"}' --json");
  CHECK(bad.exit_code == 1);
  CHECK(bad.json().at("is_error") == true);
  CHECK(run_facet(home.path(), "tools call nothing '{}'").exit_code == 1);
}

TEST_CASE("a plugin that is none is refused by name", "[e2e]") {
  const TempDir home;
  const auto file = home.path() / "bad.so";
  std::ofstream(file) << "not a library";
  const Finished finished = run_facet(home.path(), "plugin inspect " + quoted(file.string()));
  CHECK(finished.exit_code == 1);
  CHECK_THAT(finished.err, Catch::Contains("bad.so"));
}

TEST_CASE("a repeatable option takes one value and leaves the question alone", "[e2e]") {
  const TempDir home;
  for (const char* option : {"--tools calculator", "--plugin /no/such.so"}) {
    const Finished finished = run_facet(
        home.path(), std::string("ask --model /no/such.gguf ") + option + " 'a question'");
    INFO(option);
    CHECK(finished.exit_code == 5);
    CHECK_THAT(finished.err, Catch::Contains("/no/such.gguf"));
  }
}

TEST_CASE("a folder that is no store is not made into one by reading", "[e2e]") {
  const TempDir home;
  const auto folder = home.path() / "pictures";
  std::filesystem::create_directories(folder);
  for (const char* command : {"search q", "tools list"}) {
    const Finished finished =
        run_facet(home.path(), std::string(command) + " --store " + quoted(folder.string()));
    INFO(command);
    CHECK(finished.exit_code == 1);
    CHECK_THAT(finished.err, Catch::Contains("pictures"));
  }
  CHECK(std::filesystem::is_empty(folder));
}

TEST_CASE("an embedder that cannot be had is exit code 5, as any model", "[e2e]") {
  const TempDir home;
  const auto docs = home.path() / "docs";
  std::filesystem::create_directories(docs);
  std::ofstream(docs / "a.txt") << "A sentence.\n";
  const std::string store = " --store " + quoted((home.path() / "store").string());
  REQUIRE(
      run_facet(home.path(), "index --embedder none " + quoted(docs.string()) + store).exit_code ==
      0);
  std::ofstream(home.path() / "broken.gguf") << "GGUF";
  for (const std::string& embedder :
       {std::string("/no/such.gguf"), (home.path() / "broken.gguf").string()}) {
    for (const std::string& command :
         {"index " + quoted(docs.string()), std::string("search q"), std::string("tools list")}) {
      const Finished finished =
          run_facet(home.path(), command + store + " --embedder " + quoted(embedder));
      INFO(command << " " << embedder);
      CHECK(finished.exit_code == 5);
      CHECK_THAT(finished.err, Catch::Contains(embedder));
    }
  }
}

TEST_CASE("with --json a usage error is JSON too", "[e2e]") {
  const TempDir home;
  const Finished finished = run_facet(home.path(), "search --json");
  CHECK(finished.exit_code == 2);
  CHECK(finished.json().at("error").at("code") == "invalid_argument");
}

TEST_CASE("output that cannot be written is an error that says so", "[e2e]") {
  const TempDir home;
  // The last redirection is run_facet's own, so the program under test gets its stdout before it.
  const Finished finished = run_facet(
      home.path(),
      "--version >&2; (" + quoted(FACET_PROGRAM) + " tools list --json 1>/dev/full; echo rc=$?)");
  CHECK_THAT(finished.err, Catch::Contains("facet: stdout: "));
  CHECK_THAT(finished.out, Catch::Contains("rc=1"));
}

TEST_CASE("results are not written into what was opened in place of a closed stdout", "[e2e]") {
  const TempDir home;
  const Finished finished = run_facet(
      home.path(),
      "--version >&2; (" + quoted(FACET_PROGRAM) + " tools list --json <&- >&-; echo rc=$? >&2)");
  CHECK_THAT(finished.err, Catch::Contains("facet: stdout: Bad file descriptor"));
  CHECK_THAT(finished.err, Catch::Contains("rc=1"));
}

TEST_CASE("a folder that is misspelt leaves no store behind", "[e2e]") {
  const TempDir home;
  const auto store = home.path() / "store";
  const std::string more = " --embedder none --store " + quoted(store.string());
  const Finished finished = run_facet(home.path(), "index /no/such/folder" + more);
  CHECK(finished.exit_code == 1);
  CHECK_THAT(finished.err, Catch::Contains("/no/such/folder"));
  CHECK_FALSE(std::filesystem::exists(store));

  std::ofstream(home.path() / "a.xyz") << "x";
  const std::string file = quoted((home.path() / "a.xyz").string());
  const Finished fruitless = run_facet(home.path(), "index " + file + more);
  CHECK(fruitless.exit_code == 1);
  CHECK_THAT(fruitless.out, Catch::Contains("failed  a.xyz: no loader"));
  const Finished none = run_facet(home.path(), "search anything" + more);
  CHECK(none.exit_code == 0);
  CHECK(none.out.empty());
  CHECK(none.err == "no passage of the store matches\n");
}

TEST_CASE("a resumed run refuses the options it would not use", "[e2e]") {
  const TempDir home;
  const Finished finished = run_facet(home.path(), "ask --resume last --model other.gguf");
  CHECK(finished.exit_code == 2);
  CHECK_THAT(finished.err, Catch::Contains("--model"));
  CHECK(run_facet(home.path(), "ask --resume last --steps-max 3 --json").exit_code == 1);
  // How it is computed is no part of a run: these flags are used.
  const Finished used =
      run_facet(home.path(), "ask --resume last --kv-type bf16 --activations float --context 512");
  CHECK(used.exit_code == 1);
  CHECK_THAT(used.err, Catch::Contains("holds no run"));
}

TEST_CASE("doctor looks at what it says is fine", "[e2e]") {
  const TempDir home;
  const auto report = run_facet(home.path(), "doctor --embedder none --json").json();
  CHECK(report.at("journal").at("ok") == true);
  CHECK(report.at("embedder").at("ok") == true);
  // Below a file there is no place for a journal, not even for root.
  std::ofstream(home.path() / "file") << "x";
  const Finished finished =
      run_facet(home.path(),
                "--version >&2; FACET_HOME=" + quoted((home.path() / "file").string()) + " " +
                    quoted(FACET_PROGRAM) + " doctor --json");
  CHECK(finished.json().at("journal").at("ok") == false);
}
