// What the tests of facet debug logits share: the file it writes, and the weights for the
// reference.
#pragma once

#include "engine/model/model.h"
#include "tests/support/catch.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace facet::test {

inline engine::ModelWeights weights_of(const engine::Model& model) {
  engine::ModelWeights out{
      .embedding = model.embedding(), .dense2 = model.dense2(), .dense3 = model.dense3()};
  out.output_norm.assign(model.output_norm().begin(), model.output_norm().end());
  for (std::size_t l = 0; l < model.config().layers.size(); ++l) {
    out.layers.push_back(model.layer(l));
  }
  return out;
}

/// The float32 matrix of a .npy file of format 1.0, which must have this shape.
inline std::vector<float> read_npy(const std::filesystem::path& path,
                                   std::size_t rows,
                                   std::size_t cols) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string bytes = text.str();
  REQUIRE(bytes.size() > 10);
  CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t length =
      static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  CHECK((10 + length) % 64 == 0);
  const std::string header = bytes.substr(10, length);
  CHECK(header.back() == '\n');
  CHECK(header.substr(0, header.find_last_of('}') + 1) ==
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
            std::to_string(cols) + "), }");
  REQUIRE(bytes.size() == 10 + length + rows * cols * sizeof(float));
  std::vector<float> out(rows * cols);
  std::memcpy(out.data(), bytes.data() + 10 + length, out.size() * sizeof(float));
  return out;
}

}  // namespace facet::test
