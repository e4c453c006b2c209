// Writes the seeds of the fuzz corpora: small good files of each format, and a few near misses.
//   seeds FOLDER    writes FOLDER/<target>/<name>; existing files of those names are replaced.
#include "engine/tokenizer/model_proto.h"
#include "tests/support/reference.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace fs = std::filesystem;
using facet::engine::DType;
using facet::test::encode_values;
using facet::test::GgufWriter;
using facet::test::TinyModel;
using facet::test::write_bytes;
using nlohmann::ordered_json;

/// The smallest vocabulary that is one: 256 bytes, the special tokens, a few merges.
facet::engine::Vocabulary small_vocabulary() {
  using Type = facet::engine::Piece::Type;
  facet::engine::Vocabulary out;
  const facet::engine::Vocabulary tiny = facet::test::tiny_vocabulary();
  for (const auto& piece : tiny.pieces) {
    const bool keep = piece.type != Type::user_defined || piece.text.size() < 4 ||
                      piece.text == "<start_of_turn>";
    if (keep && out.pieces.size() < 300) out.pieces.push_back(piece);
  }
  return out;
}

TinyModel small_model() {
  return {
      .layers = 2, .hidden = 8, .heads = 2, .kv_heads = 1, .head_dim = 4, .ffn = 8, .window = 4};
}

/// Without a tokenizer, and with four rows of embedding.
GgufWriter small_gguf(bool is_embedder) {
  TinyModel model = small_model();
  model.is_embedder = is_embedder;
  model.dense_hidden = is_embedder ? 16 : 0;
  GgufWriter out = facet::test::tiny_gguf_without_tokenizer(model);
  auto& rows = out.tensor("token_embd.weight");
  rows.shape[0] = 4;
  rows.bytes.resize(4 * 8 * 4);
  return out;
}

void write_gguf_seeds(const fs::path& folder) {
  write_bytes(folder / "good-text", small_gguf(false).bytes());
  write_bytes(folder / "good-embedder", small_gguf(true).bytes());
  GgufWriter quantised = small_gguf(false);
  quantised.add_tensor({"q8", DType::q8_0, {1, 32}, std::string(34, '\1')});
  quantised.add_tensor({"q4", DType::q4_0, {2, 32}, std::string(36, '\2')});
  quantised.add_f32("gemma3.rope.scaling.factor", 8.0F);
  quantised.add_string("gemma3.rope.scaling.type", "linear");
  quantised.add_i32s("gemma3.array", {1, -2, 3});
  write_bytes(folder / "good-quantised", quantised.bytes());
  GgufWriter vision;
  vision.add_string("general.architecture", "clip");
  vision.add_string("clip.projector_type", "gemma3");
  for (const auto& [key, value] : {std::pair("image_size", 56U),
                                   std::pair("patch_size", 14U),
                                   std::pair("embedding_length", 8U),
                                   std::pair("block_count", 1U),
                                   std::pair("attention.head_count", 2U),
                                   std::pair("feed_forward_length", 16U),
                                   std::pair("projection_dim", 8U)}) {
    vision.add_u32(std::string("clip.vision.") + key, value);
  }
  vision.add_f32("clip.vision.attention.layer_norm_epsilon", 1e-6F);
  write_bytes(folder / "vision", vision.bytes());
  write_bytes(folder / "cut", small_gguf(false).bytes().substr(0, 700));
}

void write_safetensors_seeds(const fs::path& folder) {
  write_bytes(folder / "good-types",
              facet::test::safetensors_bytes(
                  {{"z", DType::f32, {2, 2}, encode_values(DType::f32, {1, 2, 3, 4})},
                   {"a", DType::f16, {2}, encode_values(DType::f16, {0.5F, -2})},
                   {"b.weight", DType::bf16, {2}, encode_values(DType::bf16, {3, -4})}}));
  write_bytes(folder / "good-empty", facet::test::safetensors_bytes("{}", ""));
  write_bytes(folder / "good-zero-size",
              facet::test::safetensors_bytes(
                  R"({"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}})", ""));
  write_bytes(folder / "wrap",
              facet::test::safetensors_bytes(
                  R"({"a":{"dtype":"F32","shape":[4194305,4194305,211106198978564],)"
                  R"("data_offsets":[0,8]}})",
                  std::string(8, '\0')));
  write_bytes(folder / "metadata",
              facet::test::safetensors_bytes(
                  R"({"__metadata__":{"a":"\u00e9\ud83d"},"b":[1e30,-0,null,true]})", ""));
}

void write_tokenizer_seeds(const fs::path& root) {
  const auto small = small_vocabulary();
  const std::string proto = facet::engine::write_model_proto(small);
  write_bytes(root / "model_proto" / "good-small", proto);
  write_bytes(root / "model_proto" / "good-tiny",
              facet::engine::write_model_proto(facet::test::tiny_vocabulary()));
  write_bytes(root / "model_proto" / "few-pieces",
              std::string("\x0A\x05\x0A\x03") + "abc" + std::string("\x12\x02\x18\x02", 4) +
                  std::string("\x1A\x06\x18\x00\x20\x00\x28\x01", 8));
  write_bytes(root / "model_proto" / "cut", proto.substr(0, proto.size() / 2));
  GgufWriter writer;
  writer.add_string("general.architecture", "gemma3");
  writer.add_vocabulary(small);
  const fs::path folder = root / "gguf_vocabulary";
  write_bytes(folder / "good-small", writer.bytes());
  writer.add_bool("tokenizer.ggml.add_bos_token", false);
  writer.add_bool("tokenizer.ggml.add_eos_token", true);
  write_bytes(folder / "good-flags", writer.bytes());
  writer.replace_u32("tokenizer.ggml.bos_token_id", 1 << 20U);
  write_bytes(folder / "bos-outside", writer.bytes());
  writer.remove("tokenizer.ggml.scores");
  write_bytes(folder / "no-scores", writer.bytes());
}

void write_text_seeds(const fs::path& folder) {
  constexpr std::string_view texts[][2] = {
      {"good-words", "1hello the world\n\n\n  <h1>x</h1> \t y"},
      {"good-turns", "2<bos><start_of_turn>user\nhello<end_of_turn>\n<start_of_turn>model\n"},
      {"good-marks", "3\xE2\x96\x81the\xE2\x96\x81 e\xCC\x81\xCC\x81 \xF0\x9F\x98\x80<0x41>"},
      {"good-broken", "4\xFF\xC0\x80\xED\xA0\x80\xF0\x9F\x98"},
      {"good-tools", "5<start_function_call>call:f{a:<escape>x<escape>}<end_function_call>"}};
  for (const auto& [name, text] : texts) write_bytes(folder / name, text);
}

void write_config_seeds(const fs::path& folder) {
  const ordered_json plain = ordered_json::parse(facet::test::tiny_config_json(small_model()));
  write_bytes(folder / "good-plain", plain.dump());
  ordered_json newest = plain;
  for (const char* key : {"layer_types", "rope_theta", "rope_local_base_freq", "rope_scaling"}) {
    newest.erase(key);
  }
  newest["sliding_window_pattern"] = 2;
  newest["use_bidirectional_attention"] = true;
  newest["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
      {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  write_bytes(folder / "good-rope-parameters", newest.dump());
  const ordered_json multimodal = {{"model_type", "gemma3"},
                                   {"text_config", plain},
                                   {"mm_tokens_per_image", 16},
                                   {"vision_config",
                                    {{"hidden_size", 16},
                                     {"image_size", 56},
                                     {"intermediate_size", 32},
                                     {"num_attention_heads", 2},
                                     {"num_hidden_layers", 1},
                                     {"patch_size", 7}}}};
  write_bytes(folder / "good-multimodal", multimodal.dump());
  write_bytes(folder / "good-generation", R"({"eos_token_id":[1,106],"top_k":64})");
  write_bytes(folder / "good-tokenizer",
              R"({"add_bos_token":true,"add_eos_token":false,"added_tokens_decoder":)"
              R"({"20":{"content":"<tool>","special":true}}})");
  write_bytes(folder / "good-pooling",
              R"({"pooling_mode_cls_token":false,"pooling_mode_mean_tokens":true})");
  write_bytes(folder / "good-dense",
              R"({"activation_function":"torch.nn.modules.linear.Identity","bias":false})");
  write_bytes(folder / "numbers", R"({"model_type":"gemma3","num_hidden_layers":1e999,"a":-0.0})");
}

void write_each(const fs::path& folder,
                std::initializer_list<std::pair<const char*, std::string_view>> texts) {
  fs::create_directories(folder);
  for (const auto& [name, text] : texts) write_bytes(folder / name, text);
}

void write_schema_seeds(const fs::path& root) {
  write_each(
      root / "schema",
      {{"good-object",
        R"({"type":"object","properties":{"a":{"type":"integer","minimum":-3,"maximum":70},)"
        R"("b":{"enum":[1,"x",null,true,1.5]},"c":{"type":"array","items":{"type":"number"},)"
        R"("minItems":1,"maxItems":2}},"required":["b"],"additionalProperties":false})"},
       {"good-text",
        R"({"anyOf":[{"type":"string","pattern":"^[a-c]+x?$","maxLength":5},{"type":"string",)"
        R"("format":"date"},{"const":{"k":[1]}},{"type":["null","boolean"]}]})"},
       {"good-tree",
        R"({"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"n":{"type":"array",)"
        R"("items":{"$ref":"#/$defs/t"}},"v":{"type":"string","minLength":1}}}}})"},
       {"good-merged",
        R"({"allOf":[{"type":"integer","multipleOf":7},{"exclusiveMinimum":3},{"maximum":1e2}],)"
        R"("x-facet-relaxed":true,"uniqueItems":true})"},
       {"good-tuple",
        R"({"type":"array","prefixItems":[{"type":"boolean"},{"type":"number","minimum":0.25}],)"
        R"("items":{"type":"object","patternProperties":{"^x":{"type":"null"}},)"
        R"("additionalProperties":{"type":"integer"}},"maxItems":4})"},
       {"cycle", R"({"$ref":"#"})"},
       {"contradiction", R"({"type":"integer","minimum":2,"maximum":1})"}});
  write_each(
      root / "schema_check",
      {{"good-object",
        R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],)"
        R"("unevaluatedProperties":false})"
        "\n"
        R"({"a":1,"b":2})"},
       {"good-items",
        R"({"prefixItems":[{}],"items":{"multipleOf":0.5},"contains":{"const":1},"uniqueItems":true})"
        "\n[1,2.5,1.0]"},
       {"good-dynamic",
        R"({"$id":"http://a/b","$ref":"l","$defs":{"i":{"$dynamicAnchor":"n","type":"string"},)"
        R"("l":{"$id":"l","items":{"$dynamicRef":"#n"},"$defs":{"i":{"$dynamicAnchor":"n"}}}}})"
        "\n[\"a\",1]"},
       {"good-if",
        R"({"if":{"type":"string"},"then":{"maxLength":2,"pattern":"^a"},"else":{"not":{"enum":[1]}}})"
        "\n\"ab\""},
       {"cycle", "{\"$ref\":\"#\"}\n1"}});
}

void write_grammar_seeds(const fs::path& root) {
  write_each(root / "regex",
             {{"good-classes", "^[a-c\\d_]+(?:x|y{2,3})?[^\\s]$\nab1yyz"},
              {"good-dot", "a.*b\nxa\xC3\xA9-b"},
              {"good-nested", "(a+)+$\naaaaab"},
              {"good-escapes", "\\x41\\u00e9\\w\\.\\W\nA\xC3\xA9q. "},
              {"look-ahead", "(?=a)b\nb"}});
  write_each(
      root / "gbnf",
      {{"good-list",
        "root ::= \"[\" ws word (\",\" ws word)* \"]\" # a list\nword ::= [a-z\xC3\xA9]{2,4} "
        "[^0-9\\]]?\nws ::= [ \\t]?\n"},
       {"good-sum", "root ::= n (\"+\" n)+ | .\nn ::= [1-9] [0-9]* | \"\\x30\\u0041\""},
       {"good-nested", "root ::= \"(\" root? \")\""},
       {"left-recursion", "root ::= root \"a\" | \"b\""}});
}

void write_dialect_seeds(const fs::path& root) {
  write_each(
      root / "functiongemma",
      {{"good-call",
        "<start_function_call>call:f{a:1,b:<escape>x<y<escape>,c:[true,None,{k:-1.5}]}"
        "<end_function_call><start_function_response>"},
       {"good-two",
        "Text. <start_function_call>call:f{}<end_function_call><start_function_call>call:g.h{x:"
        "<escape><escape>}<end_function_call><end_of_turn>"},
       {"open", "<start_function_call>call:f{a:<escape>x"},
       {"broken", "<start_function_call>f{a:}<end_function_call>"}});
  write_each(root / "gemma4",
             {{"good-call",
               "<|tool_call>call:f{a:1,b:<|\"|>x<y<|\"|>,c:[true,null,{k:-1.5}]}<tool_call|>"},
              {"good-thought", "<|channel>thought\nhm<channel|>Text.<turn|>"},
              {"open", "<|tool_call>call:f{a:<|\"|>x"},
              {"broken", "<|tool_call>f{a:}<tool_call|>"}});
  write_each(root / "gemma3_json",
             {{"good-call",
               R"({"name": "f", "parameters": {"a": 1, "b": "x\ny", "c": [true, null, -1.5e3]}})"},
              {"good-fence", "Well:\n```json\n[{\"name\":\"f\",\"parameters\":{}}]\n```\nDone."},
              {"good-text", "{\"no\": \"call\"}"},
              {"broken", R"({"name": "f", "parameters": )"}});
  write_each(root / "gemma3_python",
             {{"good-call", "[f(a=1, b=\"x\\ny\", c=[True, None, {'k': -1.5e3}]), g.h()]"},
              {"good-spread", "Text.\n[f(**{\"a b\": 1}, z='''q''')]"},
              {"good-text", "[1, 2] is a list."},
              {"broken", "[f(a=]"}});
  write_each(root / "gemma3_tool_code",
             {{"good-call", "```tool_code\nprint(f(a=1, b='x'))\n# a comment\ng()\n```"},
              {"good-text", "No call."},
              {"broken", "```tool_code\nf(a=\n```"},
              {"open", "```tool_code\nf(a=1)"}});
}

std::string from_hex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return out;
}

/// The files that image_test.cc compares with Pillow: every kind of JPEG, PNG and WebP.
void write_image_seeds(const fs::path& folder) {
  const auto golden = facet::test::read_text(fs::path(FACET_SOURCE_DIR) / "tests/engine/oracle" /
                                             "image_files_golden.json");
  if (!golden) return;
  const ordered_json json = ordered_json::parse(*golden);
  for (const auto& [name, image] : json.at("images").items()) {
    std::string file_name = "good-" + name;
    for (char& c : file_name) c = c == ' ' || c == ':' ? '-' : c;
    write_bytes(folder / file_name, from_hex(image.at("file").get<std::string>()));
  }
  write_bytes(folder / "animated-webp", from_hex(json.at("animated webp").get<std::string>()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: seeds FOLDER\n", stderr);
    return 2;
  }
  const fs::path root = arguments[1];
  for (const char* target : {"gguf",
                             "safetensors",
                             "model_proto",
                             "gguf_vocabulary",
                             "tokenizer_text",
                             "config",
                             "image"}) {
    fs::create_directories(root / target);
  }
  write_gguf_seeds(root / "gguf");
  write_safetensors_seeds(root / "safetensors");
  write_tokenizer_seeds(root);
  write_text_seeds(root / "tokenizer_text");
  write_config_seeds(root / "config");
  write_image_seeds(root / "image");
  write_schema_seeds(root);
  write_grammar_seeds(root);
  write_dialect_seeds(root);
  return 0;
}
