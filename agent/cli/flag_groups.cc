#include "agent/cli/flag_groups.h"

#include <string>

namespace facet::agent::cli {

void add_json(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "Print the result as JSON");
}

void add_threads(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "Threads to compute with (one per core)")
      ->check(CLI::Range(0, 1024));
}

/// `text` says which is the default.
void add_activations(CLI::App& app, bool& is_float, const char* text) {
  app.add_option_function<std::string>(
         "--activations",
         [&is_float](const std::string& name) { is_float = name == "float"; },
         text)
      ->check(CLI::IsMember({"fast", "float"}));
}

void add_kv_type(CLI::App& app, std::optional<engine::KvType>& kv_type) {
  app.add_option_function<std::string>(
         "--kv-type",
         [&kv_type](const std::string& name) { kv_type = engine::kv_type_from_name(name); },
         "Keys and values kept as f32, or rounded to bf16 (a half), int8 or fp8 (a quarter) (f32; "
         "bf16 on a CUDA device)")
      ->check(CLI::IsMember({"f32", "bf16", "int8", "fp8"}));
}

void add_answers(CLI::App& app, AnswerForm& answers) {
  app.add_option_function<std::string>(
         "--answers",
         [&answers](const std::string& name) { answers = *answer_form_from_name(name); },
         "What answers from passages may say: free, or quoted: only sentences of the passages, "
         "word "
         "for word, each with its number (free; quoted for models made for it, as pocket is)")
      ->check(CLI::IsMember({"free", "quoted"}));
}

CLI::Option* add_arguments(CLI::App& app, ArgumentForm& arguments) {
  return app
      .add_option_function<std::string>(
          "--arguments",
          [&arguments](const std::string& name) { arguments = *argument_form_from_name(name); },
          "What arguments of calls may be: free, or copied: only words and numbers that stand in "
          "the messages of the user and in results, what was said once in one argument only, or "
          "null for a required one that is nowhere said: such a call is not made; a "
          "greedy call is weighed against others with the same words (free; copied for models made "
          "for it)")
      ->check(CLI::IsMember({"free", "copied"}));
}

CLI::Option* add_tools_max(CLI::App& app, int& tools_max) {
  return app
      .add_option(
          "--tools-declared",
          tools_max,
          "Tools declared at once, beside search_documents and calculator: of more, those whose "
          "words match the question best (what "
          "the model's file says, as pocket's does, else as many as fit)")
      ->check(CLI::Range(1, 16'384));
}

void add_huge_pages(CLI::App& app, bool& huge_pages) {
  app.add_flag_callback(
      "--no-huge-pages",
      [&huge_pages] { huge_pages = false; },
      "Leave the weights where the file is mapped");
}

void add_device_name(CLI::App& app, std::string& device) {
  app.add_option("--device",
                 device,
                 "cpu, cuda, cuda:N, or auto: cuda where it can be had ($FACET_DEVICE, else cpu)");
}

void add_device(CLI::App& app, ModelOptions& model) {
  add_device_name(app, model.device);
  app.add_option_function<std::string>(
         "--weights",
         [&model](const std::string& name) {
           model.device_weights =
               name == "fp8" ? engine::cuda::WeightForm::fp8 : engine::cuda::WeightForm::stored;
         },
         "On a CUDA device: as stored, or fp8: 16- and 32-bit weights rounded at load (stored)")
      ->check(CLI::IsMember({"stored", "fp8"}));
  app.add_flag("--deterministic",
               model.is_deterministic,
               "On a CUDA device: the same bits however a text is cut; slower prompts");
  app.add_option(
         "--context", model.context_tokens_max, "Most tokens of a conversation (the model's)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
}

void add_store(CLI::App& app, std::string& store, const char* text) {
  app.add_option("--store", store, text);
}

void add_embedder(CLI::App& app, std::string& embedder) {
  app.add_option("--embedder", embedder, "Embedding model, or none (pocket)");
}

void add_mmproj(CLI::App& app, std::string& vision) {
  app.add_option("--mmproj",
                 vision,
                 "GGUF with the vision tower of a GGUF model (a model folder has its own)");
}

void add_model(CLI::App& app, ModelOptions& model) {
  app.add_option(
      "-m,--model",
      model.model,
      "Generator: a GGUF, a model folder, a name in the model folders, or OWNER/NAME[:FILE] "
      "that facet pull has fetched (pocket)");
  add_mmproj(app, model.vision);
  app.add_option("--dialect",
                 model.dialect,
                 "functiongemma, gemma3, gemma3-json, gemma3-python, gemma3-tool-code, gemma4 or "
                 "gemma4-e2b (by the model's vocabulary)");
  add_device(app, model);
  add_activations(app, model.float_activations, kFast);
  add_kv_type(app, model.kv_type);
  add_huge_pages(app, model.huge_pages);
  add_threads(app, model.threads);
  app.add_option("--prefix-cache",
                 model.prefix_mib,
                 "MiB for what earlier conversations computed, which others begin with (512)")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--draft-max",
                 model.draft_tokens_max,
                 "Tokens copied from earlier text to check beside the next one; 0: none (8)")
      ->check(CLI::Range(0, engine::kDraftTokensMax));
}

void add_pictures(CLI::App& app, PictureOptions& pictures, const char* place) {
  app.add_option("--image", pictures.files, place)->allow_extra_args(false);
  app.add_flag("--pan-and-scan", pictures.pan_and_scan, "Crops of long images beside the whole");
}

void add_sampling(CLI::App& app, engine::SamplingOptions& sampling) {
  app.add_option("--temperature", sampling.temperature, "0 is greedy (0)");
  app.add_option("--top-k-tokens", sampling.top_k, "Sample from the best K tokens; 0: off (64)");
  app.add_option("--top-p", sampling.top_p, "Sample from the best tokens of this mass (0.95)");
  app.add_option("--min-p", sampling.min_p, "Least probability relative to the best (0)");
  app.add_option("--repetition-penalty", sampling.repetition_penalty, "1: off (1)");
  app.add_option("--seed", sampling.seed, "Seed of the sampler (0)")
      ->check([](const std::string& text) {
        return text.starts_with('-') ? "'" + text + "' is below 0" : std::string();
      });
}

}  // namespace facet::agent::cli
