# The whole engine: model files, tokenizer, pictures, sequences. Included by CMakeLists.txt.
find_library(SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)
find_path(SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED)
find_package(JPEG REQUIRED)
find_library(SPNG_LIBRARY spng REQUIRED)
find_path(SPNG_INCLUDE spng.h REQUIRED)
find_library(WEBP_LIBRARY webp REQUIRED)
find_path(WEBP_INCLUDE webp/decode.h REQUIRED)

facet_library(engine
  SOURCES
    ${facet_engine_computing}
    candidate_wish.cc
    engine.cc
    generate.cc
    kv/prefix_tree.cc
    kv/snapshot.cc
    model/chat_template.cc
    model/config.cc
    model/cost.cc
    model/gguf.cc
    model/gguf_config.cc
    model/gguf_export.cc
    model/gguf_model.cc
    model/gguf_parser.cc
    model/gguf_types.cc
    model/hf_config.cc
    model/hf_json.cc
    model/hf_model.cc
    model/identity.cc
    model/in_quotes.cc
    model/memory_limit.cc
    model/model.cc
    model/naming.cc
    model/quantize.cc
    model/resident_weights.cc
    model/safetensors.cc
    model/safetensors_folder.cc
    model/safetensors_header.cc
    model/tensor_table.cc
    model/weights.cc
    sampling/drafts.cc
    scheduler/scheduler.cc
    sequence.cc
    sampling/compiled_grammar.cc
    sampling/constraint.cc
    sampling/forced_run.cc
    sampling/grammar_analysis.cc
    sampling/grammar_program.cc
    sampling/grammar_states.cc
    tokenizer/model_proto.cc
    tokenizer/sentencepiece_tokenizer.cc
    tokenizer/token_trie.cc
    tokenizer/tokenizer.cc
    tokenizer/vocabulary.cc
    vision/config.cc
    vision/encoder.cc
    vision/exif.cc
    vision/image.cc
    vision/jpeg.cc
    vision/model.cc
    vision/png.cc
    vision/preprocess.cc
    vision/preprocessor_config.cc
    vision/soft_tokens.cc
    vision/webp.cc
    vision/weights.cc
  PUBLIC facet::base
  PRIVATE ${SENTENCEPIECE_LIBRARY} JPEG::JPEG ${SPNG_LIBRARY} ${WEBP_LIBRARY})
target_include_directories(facet_engine SYSTEM PRIVATE
  ${SENTENCEPIECE_INCLUDE} ${SPNG_INCLUDE} ${WEBP_INCLUDE})

