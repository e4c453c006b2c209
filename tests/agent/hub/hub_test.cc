// Names, selection and the rules about addresses: what needs no hub.
#include "agent/hub/addresses.h"
#include "agent/hub/digest.h"
#include "agent/hub/names.h"
#include "agent/hub/partial_file.h"
#include "agent/hub/selection.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace facet;
using namespace facet::agent::hub;

bool is_public(const std::string& text) {
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return is_public_address(reinterpret_cast<const sockaddr&>(v4));
  }
  REQUIRE(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1);
  v6.sin6_family = AF_INET6;
  return is_public_address(reinterpret_cast<const sockaddr&>(v6));
}

std::vector<HubFile> files_of(const std::vector<std::string>& paths) {
  std::vector<HubFile> out;
  for (const std::string& path : paths) out.push_back({.path = path, .bytes = 2048});
  return out;
}

std::vector<std::string> paths_of(const Selection& selection) {
  std::vector<std::string> out;
  for (const HubFile& file : selection.files) out.push_back(file.path);
  return out;
}

const std::vector<std::string> kGgufs{"a-IQ4_0.gguf",
                                      "a-Q4_0.gguf",
                                      "a-Q4_K_M.gguf",
                                      "a-q8_0.gguf",
                                      "mmproj-a-bf16.gguf",
                                      "mmproj-a-f16.gguf"};

}  // namespace

TEST_CASE("a model of a hub is OWNER/NAME with an optional FILE", "[hub]") {
  const auto name = parse_model_name("google/gemma-3-1b-it:gguf/x.Q4_0.gguf");
  REQUIRE(name);
  CHECK(name->owner == "google");
  CHECK(name->name == "gemma-3-1b-it");
  CHECK(name->file == "gguf/x.Q4_0.gguf");
  CHECK(name->text() == "google/gemma-3-1b-it:gguf/x.Q4_0.gguf");
  for (const char* wrong : {"",
                            "pocket",
                            "/x",
                            "x/",
                            "../x",
                            "x/..",
                            "a/b/c",
                            "a--b/c",
                            "a b/c",
                            "./model",
                            "a/b.git",
                            "a/b:",
                            "a/b:../c",
                            "a/b:/etc/passwd",
                            "a/b:c//d",
                            "a/-b",
                            "a/b:c\\d",
                            "a/b:c\nd"}) {
    INFO(wrong);
    const auto refused = parse_model_name(wrong);
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::invalid_argument);
  }
  CHECK(!parse_model_name("a/" + std::string(97, 'b')));
}

TEST_CASE("a file name of a hub cannot leave its folder", "[hub]") {
  CHECK(check_file_name("2_Dense/model.safetensors"));
  for (const std::string& wrong : {std::string("../x"),
                                   std::string("a/../../x"),
                                   std::string("/x"),
                                   std::string("a//b"),
                                   std::string("./a"),
                                   std::string("a/"),
                                   std::string("a\0b", 3),
                                   std::string("a\\..\\b"),
                                   std::string(256, 'a'),
                                   std::string("a\xFF")}) {
    INFO(wrong);
    CHECK(!check_file_name(wrong));
  }
  std::string deep = "a";
  for (int i = 0; i < 16; ++i) deep += "/a";
  CHECK(!check_file_name(deep));
  CHECK(encode_path("a b/c#?%.gguf") == "a%20b/c%23%3F%25.gguf");
  CHECK(encode_part("refs/pr/1") == "refs%2Fpr%2F1");
}

TEST_CASE("addresses inside a network are known, whatever carries them", "[hub]") {
  for (const char* inside : {"127.0.0.1",
                             "0.0.0.0",
                             "10.1.2.3",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.1.1",
                             "169.254.169.254",
                             "100.64.0.1",
                             "168.63.129.16",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::ffff:127.0.0.1",
                             "::ffff:8.8.8.8",
                             "fe80::1",
                             "fd00:ec2::254",
                             "ff02::1",
                             "64:ff9b::7f00:1",
                             "2002:7f00:1::",
                             "2001:0:1::1",
                             "2001:db8::1"}) {
    INFO(inside);
    CHECK(!is_public(inside));
  }
  for (const char* outside : {"8.8.8.8",
                              "172.32.0.1",
                              "100.128.0.1",
                              "2606:4700::1111",
                              "64:ff9b::808:808",
                              "2002:808:808::"}) {
    INFO(outside);
    CHECK(is_public(outside));
  }
  CHECK(is_loopback_host("localhost"));
  CHECK(is_loopback_host("127.8.8.8"));
  CHECK(is_loopback_host("::1"));
  for (const char* other : {"127.0.0.1.example.org", "localhost.example.org", "2130706433", ""}) {
    CHECK(!is_loopback_host(other));
  }
}

TEST_CASE("a folder of safetensors is taken whole, without what is not the model", "[hub]") {
  const auto selection = select_files({"o", "n", ""},
                                      files_of({".gitattributes",
                                                "2_Dense/model.safetensors",
                                                "README.md",
                                                "config.json",
                                                "model.safetensors",
                                                "onnx/model.safetensors",
                                                "pytorch_model.bin",
                                                "tokenizer.model",
                                                "x.gguf"}),
                                      false);
  REQUIRE(selection);
  CHECK(selection->model.empty());
  CHECK(paths_of(*selection) ==
        std::vector<std::string>{
            "2_Dense/model.safetensors", "config.json", "model.safetensors", "tokenizer.model"});
}

TEST_CASE("one GGUF is chosen by its path or its quantisation, never by chance", "[hub]") {
  const auto files = files_of(kGgufs);
  const auto chosen = [&](const std::string& file) {
    const auto selection = select_files({"o", "n", file}, files, false);
    REQUIRE(selection);
    REQUIRE(selection->files.size() == 1);
    return selection->model;
  };
  CHECK(chosen("Q4_0") == "a-Q4_0.gguf");
  CHECK(chosen("q8_0") == "a-q8_0.gguf");
  CHECK(chosen("Q8_0") == "a-q8_0.gguf");
  CHECK(chosen("Q4_K_M") == "a-Q4_K_M.gguf");
  CHECK(chosen("mmproj-a-f16.gguf") == "mmproj-a-f16.gguf");

  const auto ambiguous = select_files({"o", "n", ""}, files, false);
  REQUIRE(!ambiguous);
  CHECK(ambiguous.error().code == Code::invalid_argument);
  CHECK(ambiguous.error().message.find("a-Q4_0.gguf (2.0 KiB)") != std::string::npos);
  CHECK(ambiguous.error().message.find("mmproj") == std::string::npos);
  const auto missing = select_files({"o", "n", "Q4_K"}, files, false);
  REQUIRE(!missing);
  CHECK(missing.error().code == Code::not_found);
  CHECK(missing.error().message.find("a-Q4_K_M.gguf") != std::string::npos);

  const auto both = select_files({"o", "n", "Q4_0"}, files, true);
  REQUIRE(both);
  CHECK(both->mmproj == "mmproj-a-f16.gguf");
  CHECK(both->files.size() == 2);
  CHECK(select_files({"o", "n", ""}, files_of({"a.gguf"}), false)->model == "a.gguf");
  CHECK(select_files({"o", "n", ""}, files_of({"a-00001-of-00002.gguf"}), false).error().code ==
        Code::unsupported);
  CHECK(select_files({"o", "n", ""}, files_of({"README.md"}), false).error().code ==
        Code::unsupported);
}

TEST_CASE("sizes are rounded, not cut", "[hub]") {
  CHECK(size_text(-1) == "unknown size");
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(1023) == "1023 B");
  CHECK(size_text(1536) == "1.5 KiB");
  CHECK(size_text(std::int64_t{5} << 30U) == "5.0 GiB");
}

TEST_CASE("digests are SHA-256 and what git calls an object", "[hub]") {
  const test::TempDir folder;
  const auto path = folder.path() / "f";
  std::ofstream(path) << "abc";
  // FIPS 180-4's example, and `printf abc | git hash-object --stdin`.
  CHECK(*digest_of_file(path, DigestKind::sha256, {}) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(*digest_of_file(path, DigestKind::git_sha1, {}) ==
        "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
  CHECK(!digest_from_hex("abc"));
  CHECK(!digest_from_hex(std::string(64, 'G')));
}

TEST_CASE("a partial file goes on where it was left, and begins anew when it is another", "[hub]") {
  const test::TempDir folder;
  const auto path = folder.path() / "p";
  const std::string text = "0123456789";
  const auto bytes = std::as_bytes(std::span(text));
  {
    auto file = PartialFile::open(path, 10, 4);
    REQUIRE(file);
    REQUIRE(file->chunks() == 3);
    REQUIRE(file->append(2, bytes.subspan(8, 2)));
    REQUIRE(file->append(0, bytes.subspan(0, 3)));
  }
  CHECK(PartialFile::open(path, 10, 4)->bytes_done() == 5);
  {
    auto file = PartialFile::open(path, 10, 4);
    REQUIRE(file->append(0, bytes.subspan(3, 1)));
    REQUIRE(file->append(1, bytes.subspan(4, 4)));
    REQUIRE(file->finish());
  }
  std::ostringstream whole;
  whole << std::ifstream(path).rdbuf();
  CHECK(whole.str() == text);
  // The finished file has no trailer, and another size of chunks is another file.
  CHECK(PartialFile::open(path, 10, 4)->bytes_done() == 0);
  REQUIRE(PartialFile::open(path, 10, 4)->append(0, bytes.first(2)));
  CHECK(PartialFile::open(path, 10, 5)->bytes_done() == 0);
  CHECK(PartialFile::open(path, 0, 5)->chunks() == 0);
  CHECK(PartialFile::open(path, std::int64_t{1} << 40, 5).error().code == Code::limit_exceeded);
}
