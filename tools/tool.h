// Tool: something a model may call. Arguments come in validated, results go out as JSON.
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::tools {

class Schema;

/// What a call may do to the world; policy decides on it.
enum class Effect { read_only, changes_state, external };

/// The conditions of one call. A tool that may run long watches `stop` (set at the deadline too);
/// a callback on it runs on the executor's thread and must not block.
struct CallContext {
  std::stop_token stop;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::size_t output_bytes_max = 64U << 10U;
};

/// Implementations must be safe to call from several threads at once.
class Tool {
 public:
  Tool() = default;
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;
  virtual ~Tool() = default;

  [[nodiscard]] virtual const ToolSpec& spec() const = 0;
  [[nodiscard]] virtual Effect effect() const { return Effect::read_only; }

  /// `arguments` is an object that satisfies spec().parameters. The value is given to the model as
  /// is; an Error becomes {"error": message}. May throw: the executor turns that into an Error.
  virtual Result<nlohmann::ordered_json> call(const nlohmann::ordered_json& arguments,
                                              const CallContext& context) const = 0;
};

/// The tools of one agent, in the order they were added. Built once, then read from many threads.
class Registry {
 public:
  static constexpr std::size_t kDescriptionBytesMax = 16U << 10U;
  static constexpr std::size_t kToolsMax = 16'384;

  Registry();
  Registry(Registry&&) noexcept;
  Registry& operator=(Registry&&) noexcept;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  /// invalid_argument for an empty or repeated name, a name outside [A-Za-z0-9_.-]{1,64}, a
  /// description that is not UTF-8 or longer than kDescriptionBytesMax, or parameters that are not
  /// an object schema; unsupported for a schema with a keyword that Schema cannot check. An Error
  /// leaves the registry as it was.
  Status add(std::shared_ptr<const Tool> tool);
  [[nodiscard]] const Tool* find(std::string_view name) const;
  [[nodiscard]] std::shared_ptr<const Tool> find_shared(std::string_view name) const;
  /// The compiled parameters of the tool `name`, or null; lives as long as the registry.
  [[nodiscard]] const Schema* arguments_schema(std::string_view name) const;
  [[nodiscard]] std::vector<ToolSpec> specs() const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entries;
  std::unique_ptr<Entries> entries_;
};

/// `arguments_text` as the arguments of `spec`: one JSON object that satisfies `schema`.
/// invalid_argument whose message names the tool, the JSON pointer and the value; where arguments
/// are missing it is missing_arguments_text (tools/missing_arguments.h).
Result<nlohmann::ordered_json> parse_arguments(const ToolSpec& spec,
                                               const Schema& schema,
                                               std::string_view arguments_text,
                                               std::size_t arguments_bytes_max);

}  // namespace facet::tools
