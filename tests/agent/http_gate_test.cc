#include "agent/server/http_gate.h"

#include "tests/support/catch.h"

#include <string>

using facet::Code;
using facet::agent::check_request;

namespace {

const std::string kHost = "Host: localhost:8080\r\n";

std::string verdict(const std::string& bytes) {
  const auto head = check_request(bytes, {});
  if (head) return "ok";
  return head.error().code == Code::permission_denied ? "403" : "400";
}

std::string get(const std::string& fields) {
  return "GET /healthz HTTP/1.1\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("a plain request passes the gate and its fields can be found", "[agent][unit]") {
  const auto head = check_request(get(kHost + "Upgrade:  websocket \r\n"), {});
  REQUIRE(head.has_value());
  CHECK(head->method == "GET");
  CHECK(head->target == "/healthz");
  CHECK(head->find("upgrade") == "websocket");
  CHECK(head->find("cookie").empty());
}

TEST_CASE("requests that could mean two things are refused", "[agent][unit]") {
  CHECK(verdict(get("")) == "400");                                        // no Host
  CHECK(verdict(get(kHost + kHost)) == "400");                             // two Hosts
  CHECK(verdict(get(kHost + "X: a\r\n folded\r\n")) == "400");             // folded line
  CHECK(verdict(get(kHost + "X : a\r\n")) == "400");                       // space before colon
  CHECK(verdict(get(kHost + "Transfer-Encoding: chunked\r\n")) == "400");  // no bodies here
  CHECK(verdict(get(kHost + "Transfer-Encoding: xchunked\r\n")) == "400");
  CHECK(verdict(get(kHost + "Content-Length: 5\r\n")) == "400");
  CHECK(verdict(get(kHost + "Content-Length: +0\r\n")) == "400");
  CHECK(verdict(get(kHost + "Content-Length: 0\r\n")) == "ok");
  CHECK(verdict(get(kHost + "Content-Length: 0\r\nContent-Length: 0\r\n")) == "400");
  CHECK(verdict(get(kHost + "Expect: 100-continue\r\n")) == "400");
  CHECK(verdict(get(kHost + "X: a\nY: b\r\n")) == "400");  // bare LF
  CHECK(verdict(get(kHost + "X: a\rY: b\r\n")) == "400");  // bare CR
  CHECK(verdict(get(kHost + std::string("X: a\0b\r\n", 8))) == "400");
  CHECK(verdict("GET /\xFF HTTP/1.1\r\n" + kHost + "\r\n") == "400");
  CHECK(verdict("GET http://localhost/ HTTP/1.1\r\n" + kHost + "\r\n") == "400");
  CHECK(verdict("GET * HTTP/1.1\r\n" + kHost + "\r\n") == "400");
  CHECK(verdict("GET / HTTP/1.0\r\n" + kHost + "\r\n") == "400");
  CHECK(verdict("GET /\r\n" + kHost + "\r\n") == "400");
  CHECK(verdict("\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n") == "400");
  CHECK(verdict(get(kHost) + "GET / HTTP/1.1") == "400");  // pipelined bytes
  CHECK(verdict("GET / HTTP/1.1\r\n" + kHost) == "400");   // no blank line
  std::string many = kHost;
  for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": a\r\n";
  CHECK(verdict(get(many)) == "400");
  CHECK(verdict(get(kHost + "X: " + std::string(10'000, 'a') + "\r\n")) == "400");
}

TEST_CASE("a websocket key is 16 bytes in base64 or nothing", "[agent][unit]") {
  const auto key = [](const std::string& value) {
    return verdict(get(kHost + "Sec-WebSocket-Key: " + value + "\r\n"));
  };
  CHECK(key("dGhlIHNhbXBsZSBub25jZQ==") == "ok");  // RFC 6455, section 1.3.
  CHECK(key("") == "400");
  CHECK(key("!!!!!!!!!!!!!!!!!!!!!!==") == "400");
  CHECK(key("dGhlIHNhbXBsZSBub25jZR==") == "400");  // Bits behind the last byte.
  CHECK(key("dGhlIHNhbXBsZSBub25jZQ=") == "400");
  CHECK(key("dGhlIHNhbXBsZSBub25jZQAA") == "400");  // 18 bytes.
}

TEST_CASE("only loopback names and loopback origins are let in", "[agent][unit]") {
  CHECK(verdict(get("Host: 127.0.0.1\r\n")) == "ok");
  CHECK(verdict(get("Host: [::1]:9\r\n")) == "ok");
  CHECK(verdict(get("Host: evil.example\r\n")) == "403");  // DNS rebinding
  CHECK(verdict(get("Host: localhost.evil.example\r\n")) == "403");
  CHECK(verdict(get("Host: 127.0.0.1:80@evil.example\r\n")) == "403");
  for (const char* origin : {"http://localhost:3000", "https://127.0.0.1", "http://[::1]:1"}) {
    CHECK(verdict(get(kHost + "Origin: " + origin + "\r\n")) == "ok");
  }
  for (const char* origin : {"null",
                             "",
                             "http://127.0.0.1.evil.tld",
                             "http://evil@localhost",
                             "file://",
                             "HTTP://localhost",
                             "http://localhost:999999"}) {
    CHECK(verdict(get(kHost + "Origin: " + origin + "\r\n")) == "403");
  }
  const auto allowed = check_request(get(kHost + "Origin: https://app.example\r\n"),
                                     {.origins = {"https://app.example"}});
  CHECK(allowed.has_value());
  CHECK(check_request(get("Host: box.example\r\n"), {.is_loopback = false}).has_value());
}
