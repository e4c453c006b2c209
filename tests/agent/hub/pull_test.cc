// pull against a hub on a loopback port that cuts, corrupts, redirects and lies.
#include "agent/hub/pull.h"

#include "tests/support/catch.h"
#include "tests/support/fake_hub.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace {

using namespace facet;
using namespace facet::agent::hub;
using test::FakeHub;
using test::FakeRepository;
using test::HubAnswer;
using test::HubRequest;
using test::noise;
namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

PullOptions options_for(const FakeHub& hub, const fs::path& cache) {
  PullOptions options{
      .cache = cache, .http = {.endpoint = hub.url()}, .name = {"owner", "name", ""}};
  options.http.limits.stall_seconds_max = std::chrono::seconds(1);
  options.http.limits.answer_seconds_max = std::chrono::seconds(2);
  options.download.chunk_bytes = 64 << 10U;
  options.download.retry = {.tries_max = 3,
                            .wait_first = std::chrono::milliseconds(1),
                            .wait_max = std::chrono::milliseconds(1500)};
  return options;
}

FakeRepository one_gguf(std::size_t bytes = 300'000) {
  return {.files = {{"a.gguf", noise(bytes, 1)}}};
}

bool is_file(const HubRequest& request) {
  return request.method == "GET" && request.target.find("/resolve/") != std::string::npos;
}

/// Pulls from a hub that answers for files by `misbehave`.
struct Attempt {
  explicit Attempt(const FakeRepository& from, std::function<HubAnswer(const HubRequest&)> handler)
      : repository(from), hub(std::move(handler)), options(options_for(hub, folder.path())) {}

  Result<Pulled> run() { return pull(options, {}, {}); }
  [[nodiscard]] bool has_whole_file(const Result<Pulled>& pulled) const {
    return pulled && bytes_of(pulled->model) == repository.files.at("a.gguf");
  }

  FakeRepository repository;
  test::TempDir folder;
  FakeHub hub;
  PullOptions options;
};

}  // namespace

TEST_CASE("a folder is pulled in parallel ranges into the layout of huggingface_hub", "[hub]") {
  const FakeRepository repository{.files = {{"config.json", "{}"},
                                            {"README.md", "no"},
                                            {"tokenizer.model", noise(5'000, 2)},
                                            {"2_Dense/model.safetensors", noise(70'000, 3)},
                                            {"model.safetensors", noise(1'000'000, 4)}}};
  Attempt attempt(repository, [&](const HubRequest& r) { return repository.answer(r); });
  const auto pulled = attempt.run();
  REQUIRE(pulled);
  const fs::path root = attempt.folder.path() / "models--owner--name";
  CHECK(pulled->model == root / "snapshots" / repository.commit);
  CHECK(pulled->bytes_fetched == 1'075'002);
  CHECK(bytes_of(root / "refs" / "main") == repository.commit);
  CHECK(!fs::exists(pulled->model / "README.md"));
  for (const std::string path :
       {"config.json", "tokenizer.model", "2_Dense/model.safetensors", "model.safetensors"}) {
    INFO(path);
    CHECK(bytes_of(pulled->model / path) == repository.files.at(path));
    CHECK(fs::canonical(pulled->model / path) ==
          fs::canonical(root / "blobs" / repository.digest(path)));
    CHECK(fs::read_symlink(pulled->model / path).is_relative());
  }
  // A second pull asks what there is and fetches nothing; without a hub the cache answers alone.
  const auto sent = attempt.hub.requests().size();
  const auto again = attempt.run();
  REQUIRE(again);
  CHECK(again->bytes_fetched == 0);
  CHECK(attempt.hub.requests().size() == sent + 1);
  attempt.options.is_offline = true;
  REQUIRE(attempt.run());
  CHECK(attempt.run()->model == pulled->model);
  CHECK(attempt.hub.requests().size() == sent + 1);
}

TEST_CASE("offline, who lacks a model is told that nothing was asked of the hub", "[hub]") {
  const FakeRepository repository = one_gguf();
  Attempt attempt(repository, [&](const HubRequest& r) { return repository.answer(r); });
  attempt.options.is_offline = true;
  const auto pulled = attempt.run();
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().message.find("HF_HUB_OFFLINE is set") == 0);
  CHECK(attempt.hub.requests().empty());
}

TEST_CASE("a hub whose listing has no sizes and digests is asked for each file", "[hub]") {
  FakeRepository repository = one_gguf();
  repository.lists_blobs = false;
  Attempt attempt(repository, [&](const HubRequest& r) { return repository.answer(r); });
  CHECK(attempt.has_whole_file(attempt.run()));
}

TEST_CASE("a listing without files is read page by page from the tree", "[hub]") {
  const FakeRepository repository = one_gguf();
  Attempt attempt(repository, [&](const HubRequest& r) -> HubAnswer {
    if (r.target.find("/revision/") != std::string::npos) {
      return {.body = R"({"sha":")" + repository.commit + R"("})"};
    }
    if (r.target.find("/tree/") == std::string::npos) return repository.answer(r);
    if (r.target.find("cursor") == std::string::npos) {
      return {
          .headers = {{"Link",
                       "<http://" + r.headers.at("host") + r.target + "&cursor=2>; rel=\"next\""}},
          .body = R"([{"type":"directory","path":"d","oid":"0"}])"};
    }
    return {.body = R"([{"type":"file","path":"a.gguf","size":9,"oid":"1","lfs":{"oid":")" +
                    repository.digest("a.gguf") + R"(","size":300000}}])"};
  });
  CHECK(attempt.has_whole_file(attempt.run()));
}

TEST_CASE("a pull recovers from a hub that cuts, stalls, fails and forgets ranges", "[hub]") {
  const FakeRepository repository = one_gguf();
  std::atomic<int> count{0};
  std::mutex mutex;
  std::set<std::size_t> spoiled;
  // The first answer for each chunk is spoiled, whatever order the chunks are asked for in.
  const auto once_per_chunk = [&](auto spoil) {
    return [&, spoil](const HubRequest& r) {
      HubAnswer answer = repository.answer(r);
      const std::lock_guard lock(mutex);
      if (is_file(r) && spoiled.insert(r.range()->first >> 16U).second) spoil(answer);
      return answer;
    };
  };
  const auto check = [&](std::function<HubAnswer(const HubRequest&)> handler) {
    Attempt attempt(repository, std::move(handler));
    const auto pulled = attempt.run();
    INFO((pulled ? "" : pulled.error().message));
    CHECK(attempt.has_whole_file(pulled));
    CHECK(std::count_if(fs::directory_iterator(attempt.folder.path() / "models--owner--name/blobs"),
                        fs::directory_iterator(),
                        [](const auto&) { return true; }) == 1);
  };
  SECTION("cut connections") {
    check(once_per_chunk([](HubAnswer& a) { a.cut_after = 20'000; }));
  }
  SECTION("silence") {
    check(once_per_chunk([](HubAnswer& a) { a.hang_after = 40'000; }));
  }
  SECTION("500") {
    check(once_per_chunk([](HubAnswer& a) { a = {.status = 500, .body = "<html>oops</html>"}; }));
  }
  SECTION("429 with Retry-After") {
    check(once_per_chunk([](HubAnswer& a) {
      a = {.status = 429, .headers = {{"Retry-After", "1"}}};
    }));
  }
  SECTION("ranges ignored") {
    check([&](HubRequest r) {
      r.headers.erase("range");
      return repository.answer(r);
    });
  }
  SECTION("ranges ignored, and the stream cut once") {
    check([&](HubRequest r) {
      const bool has_range = r.headers.erase("range") > 0;
      HubAnswer answer = repository.answer(r);
      if (is_file(r) && !has_range && count++ == 0) answer.cut_after = 150'000;
      return answer;
    });
  }
}

TEST_CASE("what a hub does wrong for good ends a pull with an error that says so", "[hub]") {
  const FakeRepository repository = one_gguf();
  const auto fails = [&](std::function<void(const HubRequest&, HubAnswer&)> spoil,
                         Code code,
                         const std::string& message) {
    Attempt attempt(repository, [&](const HubRequest& r) {
      HubAnswer answer = repository.answer(r);
      if (is_file(r)) spoil(r, answer);
      return answer;
    });
    const auto start = std::chrono::steady_clock::now();
    const auto pulled = attempt.run();
    REQUIRE(!pulled);
    INFO(pulled.error().message);
    CHECK(pulled.error().code == code);
    CHECK(pulled.error().message.find(message) != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
    CHECK(!fs::exists(attempt.folder.path() / "models--owner--name/snapshots"));
    CHECK(!fs::exists(attempt.folder.path() / "models--owner--name/blobs" /
                      repository.digest("a.gguf")));
  };
  SECTION("corrupt bytes") {
    fails([](const HubRequest&, HubAnswer& a) { a.body[100] ^= 1; }, Code::invalid_data, "digest");
  }
  SECTION("another range") {
    fails(
        [](const HubRequest&, HubAnswer& a) {
          if (!a.headers.empty()) a.headers[0].second = "bytes 7-9/300000";
        },
        Code::invalid_data,
        "bytes 7-9/300000");
  }
  SECTION("another size in the range") {
    fails(
        [](const HubRequest&, HubAnswer& a) {
          if (!a.headers.empty()) a.headers[0].second += "0";
        },
        Code::invalid_data,
        "/3000000");
  }
  SECTION("more bytes than are due") {
    fails([](const HubRequest&, HubAnswer& a) { a.body += "more"; }, Code::invalid_data, "are due");
  }
  SECTION("always cut") {
    fails([](const HubRequest&, HubAnswer& a) { a.cut_after = 0; }, Code::unavailable, "a.gguf");
  }
  SECTION("always silent") {
    fails([](const HubRequest&, HubAnswer& a) { a.hang_after = 0; }, Code::timeout, "a.gguf");
  }
  SECTION("always 500") {
    fails([](const HubRequest&, HubAnswer& a) { a = {.status = 503}; }, Code::unavailable, "503");
  }
  SECTION("429 that asks for too much patience") {
    fails(
        [](const HubRequest&, HubAnswer& a) {
          a = {.status = 429, .headers = {{"Retry-After", "3600"}}};
        },
        Code::unavailable,
        "3600 s");
  }
  SECTION("401") {
    fails([](const HubRequest&, HubAnswer& a) { a = {.status = 401}; },
          Code::permission_denied,
          "HF_TOKEN");
  }
  SECTION("a gate") {
    fails(
        [](const HubRequest&, HubAnswer& a) {
          a = {.status = 403, .headers = {{"X-Error-Code", "GatedRepo"}}};
        },
        Code::permission_denied,
        "accept the terms");
  }
  SECTION("404") {
    fails([](const HubRequest&, HubAnswer& a) { a = {.status = 404}; }, Code::not_found, "404");
  }
  SECTION("a redirect loop") {
    fails(
        [](const HubRequest& r, HubAnswer& a) {
          a = {.status = 302, .headers = {{"Location", r.target}}};
        },
        Code::limit_exceeded,
        "more than 5 times");
  }
  for (const char* where : {"file:///etc/passwd",
                            "ftp://127.0.0.1/x",
                            "http://example.invalid/x",
                            "http://127.0.0.1.example.invalid/x"}) {
    DYNAMIC_SECTION("a redirect to " << where) {
      fails(
          [&](const HubRequest&, HubAnswer& a) {
            a = {.status = 302, .headers = {{"Location", where}}};
          },
          Code::permission_denied,
          where);
    }
  }
  SECTION("a redirect with a password in it") {
    fails(
        [&](const HubRequest&, HubAnswer& a) {
          a = {.status = 302, .headers = {{"Location", "http://u:p@127.0.0.1/"}}};
        },
        Code::invalid_data,
        "no URL");
  }
}

TEST_CASE("a listing that is none, lies or names foreign files is refused", "[hub]") {
  const auto fails = [&](const std::string& body, Code code) {
    Attempt attempt(one_gguf(), [&](const HubRequest&) { return HubAnswer{.body = body}; });
    const auto pulled = attempt.run();
    INFO(body);
    REQUIRE(!pulled);
    INFO(pulled.error().message);
    CHECK(pulled.error().code == code);
  };
  const std::string head = R"({"sha":")" + std::string(40, 'c') + R"(","siblings":[)";
  const std::string sha = std::string(64, 'a');
  fails("<html>sign in</html>", Code::invalid_data);
  fails(R"({"siblings":[]})", Code::invalid_data);
  fails(R"({"sha":"../../x","siblings":[]})", Code::invalid_data);
  fails(head + "]}", Code::unsupported);
  for (const char* path : {"../a.gguf", "/a.gguf", "x/../../a.gguf", "a\\\\b.gguf", ""}) {
    fails(head + R"({"rfilename":")" + path + R"(","size":1,"lfs":{"sha256":")" + sha + "\"}}]}",
          Code::invalid_data);
  }
  for (const char* size : {"-1", "1e30", "\"x\"", "9223372036854775807"}) {
    fails(head + R"({"rfilename":"a.gguf","size":)" + size + R"(,"blobId":")" +
              std::string(40, 'b') + "\"}]}",
          Code::invalid_data);
  }
  fails(head + R"({"rfilename":"a.gguf","size":1,"lfs":{"sha256":"../../../x"}}]})",
        Code::invalid_data);
  fails(head + R"({"rfilename":"a.gguf"},{"rfilename":"a.gguf"}]})", Code::invalid_data);
  fails(head + R"({"rfilename":"a.gguf","size":1099511627775,"lfs":{"sha256":")" + sha + "\"}}]}",
        Code::limit_exceeded);
}

TEST_CASE("the token goes to the hub alone, through its own redirects", "[hub]") {
  const FakeRepository repository = one_gguf();
  FakeHub storage([&](const HubRequest& r) { return repository.file(r, "a.gguf"); });
  Attempt attempt(repository, [&](const HubRequest& r) -> HubAnswer {
    if (is_file(r) && r.target.find("?moved") == std::string::npos) {
      return {.status = 307, .headers = {{"Location", r.target + "?moved"}}};
    }
    if (is_file(r))
      return {.status = 302, .headers = {{"Location", storage.url() + "/blob?sig=1"}}};
    return repository.answer(r);
  });
  attempt.options.http.token = "hf_secret";
  CHECK(attempt.has_whole_file(attempt.run()));
  for (const HubRequest& request : attempt.hub.requests()) {
    REQUIRE(request.headers.contains("authorization"));
    CHECK(request.headers.at("authorization") == "Bearer hf_secret");
  }
  REQUIRE(!storage.requests().empty());
  for (const HubRequest& request : storage.requests()) {
    CHECK(!request.headers.contains("authorization"));
  }
}

TEST_CASE("http is spoken with this machine only, and a token is one word", "[hub]") {
  const auto code = [](HttpOptions options) {
    const auto client = HttpClient::create(options);
    return client ? std::string("ok") : std::string(code_name(client.error().code));
  };
  CHECK(code({.endpoint = "https://hub.example"}) == "ok");
  CHECK(code({.endpoint = "http://127.0.0.1:9"}) == "ok");
  CHECK(code({.endpoint = "http://[::1]:9"}) == "ok");
  CHECK(code({.endpoint = "http://hub.example", .allow_http = true}) == "ok");
  for (const char* wrong : {"http://hub.example",
                            "ftp://hub.example",
                            "hub",
                            "",
                            "https://u:p@h/",
                            "https://h/?q=1",
                            "file:///etc"}) {
    INFO(wrong);
    CHECK(code({.endpoint = wrong}) == "invalid_argument");
  }
  CHECK(code({.endpoint = "https://hub.example", .token = "a\r\nX: y"}) == "invalid_argument");
}

TEST_CASE("two pulls at once fetch a file once", "[hub]") {
  const FakeRepository repository = one_gguf(1'000'000);
  Attempt attempt(repository, [&](const HubRequest& r) {
    HubAnswer answer = repository.answer(r);
    answer.wait_per_block = std::chrono::milliseconds(1);
    return answer;
  });
  std::vector<Result<Pulled>> results(2, Error{});
  {
    std::vector<std::jthread> both;
    for (auto& result : results) both.emplace_back([&] { result = attempt.run(); });
  }
  CHECK(attempt.has_whole_file(results[0]));
  CHECK(attempt.has_whole_file(results[1]));
  CHECK((*results[0]).bytes_fetched + (*results[1]).bytes_fetched == 1'000'000);
}

TEST_CASE("bytes that an earlier try left and that are wrong are fetched again", "[hub]") {
  const FakeRepository repository = one_gguf();
  std::atomic<bool> is_down{true};
  Attempt attempt(repository, [&](const HubRequest& r) -> HubAnswer {
    HubAnswer answer = repository.answer(r);
    if (is_file(r) && is_down && r.range()->first > 0) return {.status = 404};
    if (is_file(r) && is_down) answer.body[5] ^= 1;
    return answer;
  });
  attempt.options.download.connections = 1;
  REQUIRE(!attempt.run());
  is_down = false;
  const auto pulled = attempt.run();
  REQUIRE(pulled);
  CHECK(attempt.has_whole_file(pulled));
  CHECK(pulled->bytes_fetched == 300'000 - (64 << 10) + 300'000);
}

TEST_CASE("a cancelled pull ends soon and goes on where it was", "[hub]") {
  const FakeRepository repository = one_gguf(2'000'000);
  std::atomic<bool> is_slow{true};
  Attempt attempt(repository, [&](const HubRequest& r) {
    HubAnswer answer = repository.answer(r);
    if (is_slow) answer.wait_per_block = std::chrono::milliseconds(20);
    return answer;
  });
  std::stop_source stop;
  PullEvents events;
  events.on_progress = [&](const HubFile&, const DownloadProgress& progress) {
    if (progress.bytes_done > 400'000) stop.request_stop();
  };
  const auto cancelled = pull(attempt.options, events, stop.get_token());
  REQUIRE(!cancelled);
  CHECK(cancelled.error().code == Code::cancelled);
  is_slow = false;
  const auto pulled = attempt.run();
  CHECK(attempt.has_whole_file(pulled));
  CHECK(pulled->bytes_fetched < 1'600'000);
}

TEST_CASE("what the cache lacks is named with the command that fetches it", "[hub]") {
  const test::TempDir folder;
  const auto missing = find_cached(folder.path(), {"owner", "name", "Q4_0"});
  REQUIRE(!missing);
  CHECK(missing.error().code == Code::not_found);
  CHECK(missing.error().message.find("facet pull owner/name:Q4_0") != std::string::npos);
}

TEST_CASE("a folder of the snapshot that is a link is not written through", "[hub]") {
  const FakeRepository repository{.files = {{"config.json", "{}"},
                                            {"1_Pooling/config.json", "{}"},
                                            {"model.safetensors", noise(2'000, 4)}}};
  Attempt attempt(repository, [&](const HubRequest& r) { return repository.answer(r); });
  const test::TempDir elsewhere;
  const fs::path root = attempt.folder.path() / "models--owner--name/snapshots" / repository.commit;
  fs::create_directories(root);
  fs::create_directory_symlink(elsewhere.path(), root / "1_Pooling");
  const auto pulled = attempt.run();
  REQUIRE(!pulled);
  CHECK(pulled.error().code == Code::permission_denied);
  CHECK(fs::is_empty(elsewhere.path()));
}
