// The tensors of whole models by the formula of tests/oracle/shapes.py, as files hold them.
#pragma once

#include "engine/model/config.h"
#include "tests/support/model_files.h"

#include <cstdint>
#include <string>
#include <vector>

namespace facet::test {

/// Tensor `number` of the formula, rounded to `type`.
FileTensor formula_tensor(std::uint32_t number,
                          std::string name,
                          std::vector<std::int64_t> shape,
                          engine::DType type = engine::DType::f32);

/// All tensors of a model in the numbering of the script, under their Hugging Face names.
std::vector<FileTensor> formula_tensors(const engine::ModelConfig& config,
                                        const std::string& prefix,
                                        engine::DType type = engine::DType::f32);

/// Little-endian floats written as hexadecimal digits.
std::vector<float> floats_of_hex(const std::string& hex);

}  // namespace facet::test
