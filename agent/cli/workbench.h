// Workbench: model, tools and journal of one command, opened from its options. What `ask`, `chat`,
// `run`, `serve` and `tools` have in common.
#pragma once

#include "agent/cli/commands.h"
#include "agent/journal.h"
#include "agent/local_chat_model.h"
#include "agent/loop.h"
#include "agent/picture_source.h"
#include "agent/shown_pictures.h"
#include "agent/toolbox.h"
#include "base/clock.h"
#include "base/result.h"
#include "engine/cuda/support.h"
#include "engine/engine.h"
#include "tools/executor.h"
#include "tools/tool.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

namespace facet::agent::cli {

/// An error with the exit code of its place: every failure to have a model is "unavailable",
/// whatever broke it.
struct Failure {
  Error error;
  int exit_code = exit_failed;
};

/// `device`, or $FACET_DEVICE where it is empty.
std::string device_name(const std::string& device);

/// What this build has of CUDA; null: nothing.
const engine::cuda::CudaSupport* cuda_of_build();

/// The device that `device` asks for, in words: "cpu", "cuda:0 (NVIDIA H200, ...)"; for auto the
/// CPU with the reason in brackets where the other one cannot serve. An empty `device` is
/// $FACET_DEVICE. unavailable, saying what to do, for a CUDA device that cannot serve;
/// invalid_argument for anything but cpu, auto and cuda[:n].
Result<std::string> check_device(const std::string& device);

/// Engine::load of the model at `path` as `options` say, on their device; where auto falls back to
/// the CPU a warning says why, and a line where weights could not be copied into huge pages.
Result<std::shared_ptr<engine::Engine>> load_engine(const ModelOptions& options,
                                                    const std::filesystem::path& path,
                                                    Console& console,
                                                    bool with_tokenizer = true);

/// A warning where neither the model's chat template nor --dialect says that it is for `dialect`,
/// one of the single questions (translategemma, shieldgemma).
void warn_unless_made_for(std::string_view dialect,
                          const ModelOptions& options,
                          const engine::ModelInfo& info,
                          Console& console);

/// Finds and loads a generator; what is loading is shown on a terminal.
Result<std::shared_ptr<const engine::Engine>> load_generator(const ModelOptions& options,
                                                             Console& console);

/// `error` of a model that somebody asked for: unavailable, whatever broke it, unless it is a
/// misuse.
Error as_unavailable(Error error);

/// The pictures of the command line, encoded; which one is read is shown on a terminal. Errors as
/// read_picture gives them.
Result<std::vector<ShownPicture>> read_shown_pictures(const engine::Engine& engine,
                                                      const PictureOptions& options,
                                                      Console& console);
/// The same without their places.
Result<std::vector<Picture>> read_pictures(const engine::Engine& engine,
                                           const PictureOptions& options,
                                           Console& console);

/// The embedder that `name` says: empty is pocket's (a warning and nullopt where it is missing),
/// "none" is nullopt. unavailable for any other that is missing.
Result<std::optional<std::filesystem::path>> choose_embedder(const std::string& name,
                                                             Console& console);

/// not_found, naming it, for a folder that holds no store: reading must not make one.
Status check_store(const std::filesystem::path& folder);

/// The options of a toolbox. A default store that does not exist is no store.
Result<ToolboxOptions> toolbox_options(const AgentOptions& options, Console& console);

/// The options of a run as the journal keeps them, paths made absolute, and back. unsupported for
/// {"made_by": ...}: a run whose conversation is more than its options and its question.
nlohmann::ordered_json agent_options_json(const AgentOptions& options);
Result<AgentOptions> agent_options_from_json(const nlohmann::ordered_json& json);

/// `journal_options`, the text of agent_options_json, with the pictures of a question in it; and
/// the recorded pictures of such a text, read and encoded again (none where it has none).
std::string with_pictures(const std::string& journal_options,
                          std::span<const ShownPicture> pictures);
Result<std::vector<ShownPicture>> recorded_pictures(const engine::Engine& engine,
                                                    const nlohmann::ordered_json& journal_options,
                                                    Console& console);

class Workbench {
 public:
  /// Null and `failure` filled when something cannot be opened.
  static std::unique_ptr<Workbench> open(const AgentOptions& options,
                                         Console& console,
                                         Failure& failure);

  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;
  ~Workbench();

  [[nodiscard]] const LocalChatModel& model() const { return *model_; }
  [[nodiscard]] const Toolbox& toolbox() const { return *toolbox_; }
  [[nodiscard]] const tools::Executor& executor() const { return *executor_; }
  /// Null without a store.
  [[nodiscard]] PictureSource* pictures() const { return pictures_.get(); }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  /// Null with `no_journal`, and (after a warning) where the default journal cannot be written.
  [[nodiscard]] Journal* journal() const { return journal_.get(); }
  /// What a session of these options is opened with; approvals are asked for on a terminal, until a
  /// stop.
  [[nodiscard]] SessionOptions session_options(const std::stop_token& stop) const;

 private:
  Workbench() = default;
  Status open_journal(const AgentOptions& options, Console& console);

  AgentOptions options_;
  std::unique_ptr<LocalChatModel> model_;
  std::unique_ptr<Toolbox> toolbox_;
  std::unique_ptr<tools::Executor> executor_;
  std::unique_ptr<StorePictures> pictures_;
  std::unique_ptr<Journal> journal_;
  SystemClock clock_;
};

}  // namespace facet::agent::cli
