// What facet_bench_gpu is asked to measure.
#pragma once

#include "engine/kv/kv_type.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facet::bench {

inline constexpr std::string_view kUsage =
    R"(facet_bench_gpu SHAPE TYPE [--head TYPE] [--kv KV] [--streams N] [CONTEXT...]
  SHAPE      270m, 1b, 4b, 12b, 27b; tiny, to try the program
  TYPE       of the weights: BF16, Q8_0, Q4_0, Q4_K, ..., or FP8
  --head     type of the output matrix (the embedding), where it is another
  --kv       keys and values: bf16 (default), int8 or fp8
  --streams  N texts together, 512 tokens in and 512 out each
  CONTEXT    tokens in front of what is decoded; default 1024 8192 32768 131072, with --streams none
FACET_CUDA_PRODUCTS: who multiplies prompts: library (default), wgmma, mma
)";

struct Arguments {
  std::string shape;
  std::string type;  ///< Of the weights, or "FP8".
  std::string head;  ///< Of the output matrix: as `type` unless another is named.
  engine::KvType kv = engine::KvType::bf16;
  std::int64_t streams = 0;
  std::vector<std::int64_t> contexts;
};

/// The words behind the program's name; nullopt: not as kUsage says. Names of shapes and types are
/// not looked up.
std::optional<Arguments> parse(std::span<char* const> words);

}  // namespace facet::bench
