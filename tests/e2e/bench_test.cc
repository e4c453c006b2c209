// facet bench on a small random model: what it prints, not how fast it is.
#include "tests/e2e/run_facet.h"
#include "tests/support/build_kind.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

using namespace facet::test;

namespace {

/// The program with `mib` MiB of addresses, as what follows run_facet's own call of it. Without the
/// threads of OpenBLAS, which wait for memory for ever.
std::string little_room(int mib) {
  return "--version > /dev/null; ulimit -v " + std::to_string(mib << 10) +
         "; OPENBLAS_NUM_THREADS=1 " + quoted(FACET_PROGRAM);
}

}  // namespace

TEST_CASE("bench prints a list with one entry for each test", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  const std::string command = "bench --model " + quoted((home.path() / "m.gguf").string());
  const Finished both = run_facet(home.path(), command + " -p 20 -n 3 -d 5 -t 2 -r 3 --json");
  INFO(both.err);
  REQUIRE(both.exit_code == 0);
  const auto list = both.json();
  REQUIRE(list.is_array());
  REQUIRE(list.size() == 2);
  CHECK(list.at(0).at("test") == "pp20");
  CHECK(list.at(1).at("test") == "tg3");
  for (const auto& test : list) {
    CHECK(test.at("depth") == 5);
    CHECK(test.at("threads") == 2);
    CHECK(test.at("device") == "cpu");
    const auto& rate = test.at("tok_per_s");
    CHECK(rate.at("min").get<double>() > 0.0);
    CHECK(rate.at("min").get<double>() <= rate.at("median").get<double>());
    CHECK(rate.at("median").get<double>() <= rate.at("max").get<double>());
    for (const char* key : {"bytes_per_token", "gb_per_s", "gflop_per_s"}) {
      CHECK(test.at(key).get<double>() > 0.0);
    }
    CHECK(test.at("limits").at("read_gb_per_s").get<double>() > 0.0);
    CHECK(test.at("limits").at("gop_per_s").get<double>() > 0.0);
  }
  const auto prompt = run_facet(home.path(), command + " -p 4 -n 0 -r 1 --json").json();
  REQUIRE(prompt.size() == 1);
  CHECK(prompt.at(0).at("test") == "pp4");
  const auto decode = run_facet(home.path(), command + " -p 0 -n 2 -r 1 --json").json();
  REQUIRE(decode.size() == 1);
  CHECK(decode.at(0).at("test") == "tg2");
  CHECK_THAT(run_facet(home.path(), command + " -p 4 -n 1 -r 1").out, Catch::Contains("tok/s"));
  // A prompt is read by one sequence, however many write.
  const auto many = run_facet(home.path(), command + " -p 4 -n 2 -s 3 -r 1 --json").json();
  REQUIRE(many.size() == 2);
  CHECK(many.at(0).at("sequences") == 1);
  CHECK(many.at(1).at("test") == "tg2x3");
  CHECK(many.at(1).at("sequences") == 3);
}

TEST_CASE("bench counts the bytes of a token from the shapes", "[e2e]") {
  const TempDir home;
  const TinyModel model;
  write_tiny_gguf(home.path() / "m.gguf", model);
  const std::string command = "bench --model " + quoted((home.path() / "m.gguf").string());
  const auto list = run_facet(home.path(), command + " -p 0 -n 1 -r 1 --json").json();
  const auto vocabulary = static_cast<double>(tiny_vocabulary().pieces.size());
  const double width = model.heads * model.head_dim + 2 * model.kv_heads * model.head_dim;
  const double layer = model.hidden * (width + model.heads * model.head_dim + 3.0 * model.ffn);
  // f32 weights; one key and one value row in each layer.
  const double bytes = 4.0 * (vocabulary * model.hidden + model.layers * layer) +
                       8.0 * model.layers * model.kv_heads * model.head_dim;
  CHECK(list.at(0).at("bytes_per_token").get<double>() == Approx(bytes));
}

TEST_CASE("bench says that there was no memory for a copy of the weights", "[e2e]") {
  if (kIsSanitized) return;  // They reserve terabytes of addresses.
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{.layers = 2, .hidden = 512, .ffn = 4096});
  // 50 MB of weights. With the least space of addresses that it runs in, there is none for a copy.
  for (int mib = 128; mib < 4096; mib += 16) {
    const Finished finished =
        run_facet(home.path(),
                  little_room(mib) + " bench -p 1 -n 0 -r 1 -t 1 --json --model " +
                      quoted((home.path() / "m.gguf").string()));
    if (finished.exit_code != 0) continue;
    const std::string note = finished.json().at(0).at("weights_note").get<std::string>();
    CHECK_THAT(note, Catch::Contains("memory"));
    CHECK_THAT(finished.err, Catch::Contains("weights stay where the file is mapped: " + note));
    return;
  }
  FAIL("it never ran");
}

TEST_CASE("more threads than the system starts are an error, not a crash", "[e2e]") {
  if (kIsSanitized) return;  // As above.
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  // The stacks of 256 threads are 2 GiB of addresses.
  const Finished finished = run_facet(home.path(),
                                      little_room(1500) + " bench -p 1 -n 0 -r 1 -t 256 --model " +
                                          quoted((home.path() / "m.gguf").string()));
  CHECK(finished.exit_code == 5);
  CHECK_THAT(finished.err, Catch::Contains("of 256 threads"));
}

TEST_CASE("bench refuses what it cannot measure", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  write_tiny_gguf(home.path() / "e.gguf", TinyModel{.is_embedder = true});
  const auto run = [&](const std::string& arguments) {
    return run_facet(home.path(), "bench --model " + arguments);
  };
  const std::string model = quoted((home.path() / "m.gguf").string());
  CHECK(run(model + " -p 0 -n 0").exit_code == 2);
  CHECK(run(model + " -p -1").exit_code == 2);
  CHECK(run(model + " -r 0").exit_code == 2);
  CHECK(run(model + " -t 9999").exit_code == 2);
  CHECK_THAT(run(model + " -p 1000000 -r 1").err, Catch::Contains("context"));
  // Known before anything is computed: the numbers are those of the command line.
  const Finished deep = run(model + " -p 2 -n 300 -d 1000000 -r 1");
  CHECK(deep.exit_code == 3);
  CHECK_THAT(deep.err, Catch::Contains("depth of 1000000 and 300 tokens"));
  CHECK(run(model + " --context 1000000").exit_code == 2);
  CHECK(run(quoted((home.path() / "e.gguf").string())).exit_code == 2);
  CHECK(run(quoted((home.path() / "none.gguf").string())).exit_code == 5);
}

TEST_CASE("bench, embed and index take a device, or say why not", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", TinyModel{});
  write_tiny_gguf(home.path() / "e.gguf", TinyModel{.is_embedder = true});
  const auto bench = [&](const std::string& device) {
    return run_facet(home.path(),
                     "bench -p 4 -n 0 -r 1 --json --device " + device + " --model " +
                         quoted((home.path() / "m.gguf").string()));
  };
  const auto embed = [&](const std::string& device) {
    return run_facet(
        home.path(),
        "embed --json --device " + device + " --model " + quoted((home.path() / "e.gguf").string()),
        "a b\n");
  };
  std::ofstream(home.path() / "note.txt") << "Bicycles are parked in the cellar.\n";
  const auto index = [&](const std::string& device) {
    return run_facet(home.path(),
                     "index --json --device " + device + " --store " +
                         quoted((home.path() / "store").string()) + " -m " +
                         quoted((home.path() / "m.gguf").string()) + " --embedder " +
                         quoted((home.path() / "e.gguf").string()) + " " +
                         quoted((home.path() / "note.txt").string()));
  };
  // cuda:63: no machine has it, with or without CUDA in the build.
  for (const Finished& finished : {bench("cuda:63"), embed("cuda:63"), index("cuda:63")}) {
    CHECK(finished.exit_code == 5);
    CHECK(finished.json().at("error").at("code") == "unavailable");
  }
  for (const Finished& finished : {bench("tpu"), embed("tpu"), index("tpu")}) {
    CHECK(finished.exit_code == 2);
    CHECK_THAT(finished.err, Catch::Contains("tpu"));
  }
  CHECK(index("cpu").json().at("added") == 1);
  CHECK(bench("cpu").json().at(0).at("device") == "cpu");
  // With a device here or without one: auto takes what there is, and says so.
  const Finished automatic = bench("auto");
  REQUIRE(automatic.exit_code == 0);
  const bool is_on_cpu = automatic.json().at(0).at("device") == "cpu";
  CHECK(is_on_cpu == (automatic.err.find("computing on the CPU: ") != std::string::npos));
  const Finished embedded = embed("cpu");
  INFO(embedded.err);
  CHECK(embedded.json().at("vectors").size() == 1);
}
