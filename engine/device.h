// Which device a model runs on, as people say it: "cpu", "cuda", "cuda:1", "auto".
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace facet::engine {

struct DeviceChoice {
  bool is_cuda = false;
  int index = 0;            ///< Of the CUDA device.
  bool falls_back = false;  ///< auto: the CPU where the CUDA device cannot be used.
};

/// "" and "cpu"; "cuda" and "cuda:0" to "cuda:63"; "auto": cuda:0 where it can be used.
/// invalid_argument naming anything else.
Result<DeviceChoice> parse_device(std::string_view text);

}  // namespace facet::engine
