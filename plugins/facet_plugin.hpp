// Sugar over facet_plugin.h for plugins in C++17 and later. Header-only, because a plugin has
// nothing of Facet to link with.
//
//   #include "facet_plugin.hpp"
//
//   namespace fp = facet_plugin_cpp;
//
//   std::string greet(const fp::Arguments& arguments, const fp::Call&) {
//     return fp::json_text("Hello, " + arguments.text("name") + "!");
//   }
//
//   FACET_PLUGIN("greetings", "1.0",
//                {"greet", "Greets a person.",
//                 R"({"type":"object","properties":{"name":{"type":"string"}},)"
//                 R"("required":["name"]})",
//                 greet})
//
// A tool returns JSON text. What it throws becomes the error that the model reads; nothing leaves
// the plugin as an exception.
#pragma once

#include "facet_plugin.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace facet_plugin_cpp {

/// The host's side of a call.
class Call {
 public:
  explicit Call(const facet_call* call) : call_(call) {}
  /// True when nobody waits for the result any more.
  [[nodiscard]] bool cancelled() const { return call_->cancelled(call_->host) != 0; }
  [[nodiscard]] std::int64_t milliseconds_left() const { return call_->milliseconds_left; }
  [[nodiscard]] std::uint64_t output_bytes_max() const { return call_->output_bytes_max; }

 private:
  const facet_call* call_;
};

/// `value` as a quoted JSON string. UTF-8 in, UTF-8 out.
inline std::string json_text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20U) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

/// `value` as a JSON number of up to 15 digits, without a fraction when there is none. Throws for
/// infinity and NaN, which JSON lacks.
inline std::string json_number(double value) {
  if (!(value - value == 0)) throw std::range_error("the result is not a finite number");
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::general, 15).ptr;
  return std::string(buffer, end);
}

/// The members of the arguments object. The host has checked them against the schema and passes
/// compact, well-formed JSON; the reader throws all the same when something is not there.
class Arguments {
 public:
  explicit Arguments(std::string_view json) : json_(json) {
    expect('{');
    if (take('}')) return;
    do {
      std::string key = string();
      expect(':');
      members_.emplace_back(std::move(key), value());
    } while (take(','));
    expect('}');
  }

  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The JSON text of a member: "[1,2]" or "\"a\"".
  [[nodiscard]] std::string_view raw(std::string_view name) const {
    const std::string_view* found = find(name);
    if (found == nullptr) throw std::invalid_argument("there is no argument " + std::string(name));
    return *found;
  }
  [[nodiscard]] double number(std::string_view name) const {
    const std::string_view text = raw(name);
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
      throw std::invalid_argument(std::string(name) + " must be a number");
    }
    return value;
  }
  [[nodiscard]] bool boolean(std::string_view name) const {
    const std::string_view text = raw(name);
    if (text != "true" && text != "false") {
      throw std::invalid_argument(std::string(name) + " must be a boolean");
    }
    return text == "true";
  }
  [[nodiscard]] std::string text(std::string_view name) const {
    const std::string_view value = raw(name);
    if (value.empty() || value[0] != '"') {
      throw std::invalid_argument(std::string(name) + " must be a string");
    }
    Reader reader{value, 0};
    return reader.string();
  }

 private:
  /// A place in JSON text.
  struct Reader {
    std::string_view json;
    std::size_t at;

    [[noreturn]] static void broken() { throw std::invalid_argument("the arguments are broken"); }
    char next() {
      if (at >= json.size()) broken();
      return json[at++];
    }
    void skip_space() {
      while (at < json.size() &&
             (json[at] == ' ' || json[at] == '\n' || json[at] == '\t' || json[at] == '\r')) {
        ++at;
      }
    }
    unsigned code_unit() {
      unsigned value = 0;
      for (int i = 0; i < 4; ++i) {
        const char c = next();
        const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                               : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10U
                               : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10U
                                                      : 16U;
        if (digit > 15U) broken();
        value = value * 16U + digit;
      }
      return value;
    }
    static void append(std::string& out, unsigned point) {
      const auto byte = [&out](unsigned bits) { out += static_cast<char>(bits); };
      if (point < 0x80U) {
        byte(point);
      } else if (point < 0x800U) {
        byte(0xC0U | point >> 6U);
        byte(0x80U | (point & 0x3FU));
      } else if (point < 0x10000U) {
        byte(0xE0U | point >> 12U);
        byte(0x80U | (point >> 6U & 0x3FU));
        byte(0x80U | (point & 0x3FU));
      } else {
        byte(0xF0U | point >> 18U);
        byte(0x80U | (point >> 12U & 0x3FU));
        byte(0x80U | (point >> 6U & 0x3FU));
        byte(0x80U | (point & 0x3FU));
      }
    }
    void escape(std::string& out) {
      const char c = next();
      static constexpr std::string_view kLetters = "\"\\/bfnrt";
      static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
      if (const std::size_t known = kLetters.find(c); known != std::string_view::npos) {
        out += kMeanings[known];
        return;
      }
      if (c != 'u') broken();
      unsigned point = code_unit();
      if (point >= 0xD800U && point < 0xDC00U) {
        if (next() != '\\' || next() != 'u') broken();
        const unsigned low = code_unit();
        if (low < 0xDC00U || low > 0xDFFFU) broken();
        point = 0x10000U + ((point - 0xD800U) << 10U) + (low - 0xDC00U);
      }
      append(out, point);
    }
    std::string string() {
      std::string out;
      if (next() != '"') broken();
      for (char c = next(); c != '"'; c = next()) {
        if (c == '\\') {
          escape(out);
        } else {
          out += c;
        }
      }
      return out;
    }
  };

  bool take(char c) {
    reader().skip_space();
    if (reader_.at >= json_.size() || json_[reader_.at] != c) return false;
    ++reader_.at;
    return true;
  }
  void expect(char c) {
    if (!take(c)) Reader::broken();
  }
  std::string string() {
    reader().skip_space();
    return reader_.string();
  }
  /// Skips one value and returns its text. Brackets are counted, not matched: the host sends JSON.
  std::string_view value() {
    reader().skip_space();
    const std::size_t start = reader_.at;
    int depth = 0;
    for (;;) {
      if (reader_.at >= json_.size()) Reader::broken();
      const char c = json_[reader_.at];
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '"') {
        reader_.string();
        continue;
      }
      if (c == '[' || c == '{') ++depth;
      if (c == ']' || c == '}') --depth;
      ++reader_.at;
    }
    std::string_view text = json_.substr(start, reader_.at - start);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\t' ||
                             text.back() == '\r')) {
      text.remove_suffix(1);
    }
    return text;
  }
  Reader& reader() {
    reader_.json = json_;
    return reader_;
  }
  [[nodiscard]] const std::string_view* find(std::string_view name) const {
    for (const auto& [key, text] : members_) {
      if (key == name) return &text;
    }
    return nullptr;
  }

  std::string_view json_;
  Reader reader_{{}, 0};
  std::vector<std::pair<std::string, std::string_view>> members_;
};

/// A tool: name, description, JSON Schema of the parameters, function.
struct Tool {
  std::string_view name;
  std::string_view description;
  std::string_view parameters;
  std::string (*function)(const Arguments& arguments, const Call& call);
  std::uint32_t effect = FACET_EFFECT_READ_ONLY;
};

/// The C description of tools. Lives as long as the library; see FACET_PLUGIN.
class Plugin {
 public:
  Plugin(std::string_view name, std::string_view version, std::vector<Tool> tools)
      : tools_(std::move(tools)) {
    for (Tool& tool : tools_) {
      facet_tool out{};
      out.struct_size = sizeof(facet_tool);
      out.name = text(tool.name);
      out.description = text(tool.description);
      out.parameters = text(tool.parameters);
      out.effect = tool.effect;
      out.user = &tool;
      out.call = &Plugin::call;
      described_.push_back(out);
    }
    plugin_.magic = FACET_PLUGIN_MAGIC;
    plugin_.abi_version = FACET_PLUGIN_ABI_VERSION;
    plugin_.struct_size = sizeof(facet_plugin);
    plugin_.name = text(name);
    plugin_.version = text(version);
    plugin_.tool_count = described_.size();
    plugin_.tool_size = sizeof(facet_tool);
    plugin_.tools = described_.data();
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  ~Plugin() = default;

  [[nodiscard]] const facet_plugin* get() const { return &plugin_; }

 private:
  static facet_text text(std::string_view from) { return {from.data(), from.size()}; }

  static int call(void* user, facet_text arguments, const facet_call* call) {
    const auto& tool = *static_cast<const Tool*>(user);
    std::string message;
    try {
      const std::string result =
          tool.function(Arguments({arguments.data, arguments.size}), Call(call));
      return call->write(call->host, result.data(), result.size());
    } catch (const std::exception& error) {
      message = error.what();
    } catch (...) {
      message = "unknown exception";
    }
    call->write(call->host, message.data(), message.size());
    return 1;
  }

  std::vector<Tool> tools_;
  std::vector<facet_tool> described_;
  facet_plugin plugin_{};
};

}  // namespace facet_plugin_cpp

/// FACET_PLUGIN("name", "version", {tool}, {tool}, ...): the one exported symbol.
#define FACET_PLUGIN(plugin_name, plugin_version, ...)                                  \
  extern "C" FACET_PLUGIN_EXPORT const facet_plugin* facet_plugin_v1(void) {            \
    static const facet_plugin_cpp::Plugin plugin(                                       \
        plugin_name, plugin_version, std::vector<facet_plugin_cpp::Tool>{__VA_ARGS__}); \
    return plugin.get();                                                                \
  }
