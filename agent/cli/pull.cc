// facet pull: a model from a hub into the cache that it shares with Python's huggingface_hub.
#include "agent/hub/pull.h"

#include "agent/cli/commands.h"
#include "agent/cli/paths.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>

namespace facet::agent::cli {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr std::string_view kDefaultEndpoint = "https://huggingface.co";
constexpr std::int64_t kLinedBytesMin = 64LL << 20U;
constexpr std::int64_t kLinesPerFile = 10;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_true(std::string value) {
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string without_space(std::string text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.erase(std::min(text.find_last_not_of(kSpace) + 1, text.size()));
  text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
  return text;
}

/// $HF_TOKEN, else the token file of `hf auth login`; empty when there is neither.
std::string hub_token() {
  if (std::string token = without_space(variable("HF_TOKEN")); !token.empty()) return token;
  fs::path path = variable("HF_TOKEN_PATH");
  if (path.empty()) {
    const auto home = hub_home();
    if (!home) return {};
    path = *home / "token";
  }
  std::array<char, 4096> text{};
  std::ifstream in(path, std::ios::binary);
  in.read(text.data(), text.size());
  return without_space(std::string(text.data(), static_cast<std::size_t>(in.gcount())));
}

Result<hub::PullOptions> pull_options(const PullCommandOptions& options) {
  FACET_TRY(hub::ModelName name, hub::parse_model_name(options.model));
  FACET_TRY(fs::path cache, hub_cache());
  std::string endpoint = variable("HF_ENDPOINT");
  if (endpoint.empty()) endpoint = kDefaultEndpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  hub::PullOptions out;
  out.cache = std::move(cache);
  out.http.endpoint = endpoint;
  out.http.token = hub_token();
  out.http.allow_http = options.allow_http;
  out.name = std::move(name);
  out.revision = options.revision;
  out.with_mmproj = options.mmproj;
  out.is_offline = is_true(variable("HF_HUB_OFFLINE"));
  out.is_dry_run = options.dry_run;
  out.bytes_max = options.gibibytes_max << 30U;
  out.download.connections = options.connections;
  return out;
}

/// What a person sees while a model is fetched: a bar on a terminal, else lines.
class Progress {
 public:
  explicit Progress(Console& console) : console_(console) {}

  void begin(const hub::PulledFile& file) {
    tenth_ = 0;
    console_.note(file.file.path + "  " + hub::size_text(file.file.bytes) +
                  (file.was_cached ? "  in the cache" : ""));
  }
  void wait(const hub::HubFile& file) {
    console_.note(file.path + "  waits: another pull is fetching it");
  }
  void hear(const hub::HubFile& file, const hub::DownloadProgress& progress) {
    const char* unit = progress.is_checking ? "MiB checked  " : "MiB  ";
    console_.progress(static_cast<std::size_t>(progress.bytes_done >> 20U),
                      static_cast<std::size_t>(file.bytes >> 20U),
                      unit + file.path);
    if (console_.is_stderr_terminal() || file.bytes < kLinedBytesMin || progress.is_checking)
      return;
    const std::int64_t tenth = progress.bytes_done / (file.bytes / kLinesPerFile);
    if (tenth <= tenth_) return;
    tenth_ = tenth;
    console_.note(file.path + "  " + hub::size_text(progress.bytes_done) + " of " +
                  hub::size_text(file.bytes));
  }

 private:
  Console& console_;
  std::int64_t tenth_ = 0;
};

ordered_json pulled_json(const hub::PullOptions& options, const hub::Pulled& pulled) {
  ordered_json files = ordered_json::array();
  for (const hub::PulledFile& file : pulled.files) {
    files.push_back({{"path", file.file.path},
                     {"bytes", file.file.bytes},
                     {"digest", file.file.digest ? ordered_json(file.file.digest->hex) : nullptr},
                     {"cached", file.was_cached}});
  }
  ordered_json out = {{"model", options.name.text()},
                      {"revision", options.revision},
                      {"commit", pulled.commit},
                      {"dry_run", options.is_dry_run}};
  if (!pulled.model.empty()) out["path"] = pulled.model.string();
  if (!pulled.mmproj.empty()) out["mmproj"] = pulled.mmproj.string();
  out["bytes_fetched"] = pulled.bytes_fetched;
  out["files"] = std::move(files);
  return out;
}

void show_files(const hub::Pulled& pulled, Console& console) {
  std::int64_t total = 0;
  std::int64_t missing = 0;
  for (const hub::PulledFile& file : pulled.files) {
    total += file.file.bytes;
    missing += file.was_cached ? 0 : file.file.bytes;
    console.out_line(printable(file.file.path) + "  " + hub::size_text(file.file.bytes) +
                     (file.was_cached ? "  in the cache" : ""));
  }
  console.out_line(std::to_string(pulled.files.size()) + " files, " + hub::size_text(total) +
                   ", of which " + hub::size_text(missing) + " would be fetched");
}

}  // namespace

int run_pull(const PullCommandOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto settings = pull_options(options);
  if (!settings) return console.fail(settings.error(), options.json);
  Progress progress(console);
  const hub::PullEvents events{
      .on_file = [&](const hub::PulledFile& file) { progress.begin(file); },
      .on_progress = [&](const hub::HubFile& file,
                         const hub::DownloadProgress& done) { progress.hear(file, done); },
      .on_wait = [&](const hub::HubFile& file) { progress.wait(file); }};
  const auto pulled = hub::pull(*settings, events, environment.stop);
  console.end_progress();
  if (!pulled) return console.fail(pulled.error(), options.json);
  if (options.json) {
    console.out_json(pulled_json(*settings, *pulled));
  } else if (options.dry_run) {
    show_files(*pulled, console);
  } else {
    console.out_line(pulled->model.string());
    if (!pulled->mmproj.empty()) console.out_line(pulled->mmproj.string());
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
