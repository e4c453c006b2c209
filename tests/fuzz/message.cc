#include "base/check.h"
#include "base/utf8.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace facet::fuzz {

void check_message(const Error& error) {
  FACET_CHECK(!error.message.empty());
  FACET_CHECK(error.message.size() < 1000);
  FACET_CHECK(is_utf8(error.message));
  FACET_CHECK(std::none_of(error.message.begin(), error.message.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  }));
}

void check_place(const Error& error) {
  FACET_CHECK(!error.message.empty());
  FACET_CHECK(is_utf8(error.message));
}

}  // namespace facet::fuzz
