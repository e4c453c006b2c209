// What the fuzzer calls: for each format that comes from outside, everything that is done with its
// bytes before a model runs. A target aborts when the reader breaks a promise of its header; that
// it reads no byte beyond is for the sanitizers to see.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <span>

namespace facet::fuzz {

/// Each returns whether the bytes were accepted, so that the tests notice a seed that is no longer
/// a good file.
using Target = bool (*)(std::span<const std::byte>);

/// A GGUF file: header, config, weights in their places, description; an mmproj config.
bool gguf(std::span<const std::byte> bytes);
/// A safetensors file: header and tensors.
bool safetensors(std::span<const std::byte> bytes);
/// A SentencePiece `.model` file, then the tokenizer that it makes.
bool model_proto(std::span<const std::byte> bytes);
/// The tokenizer of a GGUF file.
bool gguf_vocabulary(std::span<const std::byte> bytes);
/// The text to be tokenized: as data, as control text, and cut into segments.
bool tokenizer_text(std::span<const std::byte> bytes);
/// A config.json and its relatives: any of the JSON files of a model folder.
bool config(std::span<const std::byte> bytes);
/// A JPEG, PNG or WebP image.
bool image(std::span<const std::byte> bytes);

/// A JSON Schema, made a grammar of its instances.
bool schema(std::span<const std::byte> bytes);
/// A JSON Schema and, on the next line, a value for the validator.
bool schema_check(std::span<const std::byte> bytes);
/// A pattern and, on the next line, a text.
bool regex(std::span<const std::byte> bytes);
/// A grammar in GBNF.
bool gbnf(std::span<const std::byte> bytes);
/// The output of a model, control tokens spelled, in one dialect each.
bool functiongemma(std::span<const std::byte> bytes);
bool gemma3_python(std::span<const std::byte> bytes);
bool gemma3_json(std::span<const std::byte> bytes);
bool gemma3_tool_code(std::span<const std::byte> bytes);
bool gemma4(std::span<const std::byte> bytes);

/// A message fits on a screen, whatever the file calls its parts: not empty, at most 1000 bytes,
/// UTF-8 without control characters.
void check_message(const Error& error);
/// A message that names places in foreign text by their own words: not empty, UTF-8.
void check_place(const Error& error);

struct NamedTarget {
  const char* name;  ///< Also the folder of its corpus, below tests/fuzz/.
  Target run;
};

inline constexpr NamedTarget kTargets[] = {{"gguf", gguf},
                                           {"safetensors", safetensors},
                                           {"model_proto", model_proto},
                                           {"gguf_vocabulary", gguf_vocabulary},
                                           {"tokenizer_text", tokenizer_text},
                                           {"config", config},
                                           {"image", image},
                                           {"schema", schema},
                                           {"schema_check", schema_check},
                                           {"regex", regex},
                                           {"gbnf", gbnf},
                                           {"functiongemma", functiongemma},
                                           {"gemma3_python", gemma3_python},
                                           {"gemma3_json", gemma3_json},
                                           {"gemma3_tool_code", gemma3_tool_code},
                                           {"gemma4", gemma4}};

}  // namespace facet::fuzz
