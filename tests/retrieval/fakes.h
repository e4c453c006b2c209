// Deterministic stand-ins for a model: an embedder of hashed words and a counter of words.
#pragma once

#include "retrieval/embedder.h"

#include <cctype>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::test {

/// The words of a text in lower case.
inline std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

/// Every word is a seeded random direction; a text is their normalised sum, so texts that share
/// words are near each other.
class FakeEmbedder final : public retrieval::Embedder {
 public:
  explicit FakeEmbedder(std::size_t dimension = 64, std::string identity = "fake-1")
      : dimension_(dimension), identity_(std::move(identity)) {}

  [[nodiscard]] std::size_t dimension() const override { return dimension_; }
  [[nodiscard]] double search_weight() const override { return weight; }
  [[nodiscard]] std::string identity() const override { return identity_; }
  [[nodiscard]] Result<std::vector<float>> embed_query(std::string_view text) const override {
    return embed(text);
  }
  [[nodiscard]] Result<std::vector<float>> embed_document(std::string_view title,
                                                          std::string_view text) const override {
    if (!poison.empty() && text.find(poison) != std::string_view::npos) {
      return Error{Code::internal, "the fake embedder was poisoned"};
    }
    return embed(std::string(title) + " " + std::string(text));
  }

  std::string poison;  ///< Texts that hold it fail.
  double weight = 1.0;

 private:
  [[nodiscard]] std::vector<float> embed(std::string_view text) const {
    std::vector<float> sum(dimension_, 0.0F);
    sum[0] = 1e-3F;
    for (const std::string& word : words_in(text)) {
      std::uint32_t seed = 2166136261U;
      for (const char c : word) seed = (seed ^ static_cast<unsigned char>(c)) * 16777619U;
      std::minstd_rand random(seed);
      for (float& x : sum) x += static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
    }
    float norm = 0.0F;
    for (const float x : sum) norm += x * x;
    for (float& x : sum) x /= std::sqrt(norm);
    return sum;
  }

  std::size_t dimension_;
  std::string identity_;
};

/// One token a word.
class WordCounter final : public retrieval::TokenCounter {
 public:
  [[nodiscard]] std::int64_t count(std::string_view text) const override {
    return static_cast<std::int64_t>(words_in(text).size());
  }
};

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace facet::test
