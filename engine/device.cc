#include "engine/device.h"

#include <charconv>

namespace facet::engine {

Result<DeviceChoice> parse_device(std::string_view text) {
  constexpr int kIndexMax = 63;
  constexpr std::string_view kPrefix = "cuda:";
  if (text.empty() || text == "cpu") return DeviceChoice{};
  if (text == "auto") return DeviceChoice{.is_cuda = true, .falls_back = true};
  if (text == "cuda") return DeviceChoice{.is_cuda = true};
  if (text.starts_with(kPrefix)) {
    const std::string_view digits = text.substr(kPrefix.size());
    int index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    const bool is_number = error == std::errc() && end == digits.data() + digits.size();
    if (is_number && index >= 0 && index <= kIndexMax) {
      return DeviceChoice{.is_cuda = true, .index = index};
    }
  }
  return Error{Code::invalid_argument,
               "unknown device '" + std::string(text) +
                   "': known are cpu, auto, cuda and cuda:0 to cuda:63"};
}

}  // namespace facet::engine
