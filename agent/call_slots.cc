#include "agent/call_slots.h"

#include "agent/held_tool.h"
#include "agent/word_stems.h"
#include "base/grammar/copy_places.h"
#include "base/grammar/copy_source.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

/// Calls that are followed from slot to slot.
constexpr std::size_t kBeams = 16;
/// Of each slot, the most probable spans that are tried.
constexpr std::size_t kSpansMax = 6;

using Place = grammar::CopyPlace;

struct OpenSlot {
  SlotName name;
  Slot slot;
  std::vector<double> log_p;      ///< Of each span.
  std::vector<std::size_t> best;  ///< The most probable spans, and nothing.

  [[nodiscard]] Place place(std::size_t span) const {
    return {.begin = slot.spans[span].begin, .end = slot.spans[span].end};
  }

  /// The most probable span that is `value`; nullopt where none is.
  [[nodiscard]] std::optional<std::size_t> find(const Json& value) const {
    std::optional<std::size_t> out;
    for (const std::size_t i : spans_of(slot, value)) {
      if (!out || log_p[i] > log_p[*out]) out = i;
    }
    return out;
  }
};

std::size_t words_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
}

/// Whether `value` is a list of strings and numbers that holds something.
bool is_flat_list(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& item) {
           return item.is_string() || item.is_number();
         });
}

/// Whether all words of `text` stand in `request`.
bool has_words_of(const std::string& request, const std::string& text) {
  const std::vector<SlotWord> words = slot_words(text);
  return std::all_of(words.begin(), words.end(), [&](const SlotWord& word) {
    return request.find(text.substr(word.begin, word.end - word.begin)) != std::string::npos;
  });
}

/// Whether `value`, or each item of it, can only have come from `request`.
bool comes_from(const std::string& request, const Json& value) {
  if (value.is_array()) {
    return std::all_of(
        value.begin(), value.end(), [&](const Json& item) { return comes_from(request, item); });
  }
  if (value.is_string()) {
    return request.find(value.get_ref<const std::string&>()) != std::string::npos;
  }
  const auto numbers = grammar::numbers_in(request);
  return std::any_of(numbers.begin(), numbers.end(), [&](const grammar::FoundNumber& one) {
    return Json::parse(one.number) == value;
  });
}

/// The strings of `value` and what is inside it.
void add_strings(const Json& value, std::vector<std::string>& out) {
  if (value.is_string()) out.push_back(value.get<std::string>());
  if (value.is_number()) out.push_back(dump_json(value));
  for (const Json& inner : value.is_structured() ? value : Json::array()) add_strings(inner, out);
}

OpenSlot open_slot(const SlotRequest& request,
                   const engine::SlotWeights& weights,
                   const ToolSpec& tool,
                   const Json& parameters,
                   const SlotName& name) {
  OpenSlot out{.name = name, .slot = request.slot(tool, parameters, name)};
  out.log_p = slot_log_p(out.slot, weights);
  out.best.resize(out.log_p.size());
  std::iota(out.best.begin(), out.best.end(), 0);
  std::stable_sort(out.best.begin(), out.best.end() - 1, [&](std::size_t a, std::size_t b) {
    return out.log_p[a] > out.log_p[b];
  });
  if (out.best.size() > kSpansMax) out.best.erase(out.best.begin() + kSpansMax, out.best.end() - 1);
  return out;
}

/// A call with the slots that come first filled.
struct Filled {
  std::vector<std::size_t> spans;
  std::vector<Place> taken;
  double log_p = 0.0;

  [[nodiscard]] bool takes(const Place& place) const {
    return std::any_of(
        taken.begin(), taken.end(), [&](const Place& one) { return one.overlaps(place); });
  }

  /// How many of `places` nothing takes.
  [[nodiscard]] int count_left(const std::vector<Place>& places) const {
    return static_cast<int>(std::count_if(
        places.begin(), places.end(), [&](const Place& place) { return !takes(place); }));
  }
};

/// `from` with the next slot filled in every way that is left.
void fill(const OpenSlot& slot, const Filled& from, std::vector<Filled>& out) {
  for (const std::size_t i : slot.best) {
    const Place place = slot.place(i);
    if (from.takes(place)) continue;
    Filled next = from;
    next.spans.push_back(i);
    if (place.begin < place.end) next.taken.push_back(place);
    next.log_p += slot.log_p[i];
    out.push_back(std::move(next));
  }
}

/// What each word takes off that nothing explains, as the logarithm of a probability.
constexpr double kUnexplained = 3.0;

/// The most probable ways to fill `slots` with what is not `taken`, the best one first, where the
/// words at `unexplained` should be in one of them.
std::vector<Filled> best_filled(const std::vector<OpenSlot>& slots,
                                std::vector<Place> taken,
                                const std::vector<Place>& unexplained) {
  std::vector<Filled> all = {{.taken = std::move(taken)}};
  const auto sort = [](std::vector<Filled>& some) {
    std::stable_sort(some.begin(), some.end(), [](const Filled& a, const Filled& b) {
      return a.log_p > b.log_p;
    });
  };
  for (const OpenSlot& slot : slots) {
    std::vector<Filled> next;
    for (const Filled& one : all) fill(slot, one, next);
    sort(next);
    next.resize(std::min(next.size(), kBeams));
    all = std::move(next);
  }
  for (Filled& one : all) one.log_p -= kUnexplained * one.count_left(unexplained);
  sort(all);
  return all;
}

/// The words of `request` that say something, and nothing of what `tool` declares: what they say
/// must be in its arguments.
std::vector<Place> unexplained_words(const SlotRequest& request,
                                     const ToolSpec& tool,
                                     const Json& parameters) {
  std::string declared = tool.name + " " + tool.description;
  for (const auto& [name, schema] : properties_of(parameters).items()) {
    declared += " " + name;
    if (!schema.is_object()) continue;
    const auto description = schema.find("description");
    if (description == schema.end() || !description->is_string()) continue;
    declared += " " + description->get_ref<const std::string&>();
  }
  const auto known = content_stems(declared);
  std::vector<Place> out;
  for (const SlotWord& word : request.words()) {
    const bool has_digit = word.shape.find('9') != std::string::npos;
    if (!has_digit && (!is_content_word(word.lower) || known.contains(word.stem))) continue;
    out.push_back({.begin = word.begin, .end = word.end});
  }
  return out;
}

/// Whether a parameter may hold several values.
bool is_list(const Json& schema) {
  if (!schema.is_object()) return false;
  const auto type = schema.find("type");
  return type != schema.end() && (*type == "array" || *type == "object");
}

/// Whether the objects among `arguments` have all members that their schemas require.
bool has_whole_objects(const Json& arguments, const Json& parameters) {
  for (const auto& [name, schema] : properties_of(parameters).items()) {
    const Json value = argument_of(arguments, name);
    if (!value.is_object() || !schema.is_object()) continue;
    for (const auto& [member, inner] : properties_of(schema).items()) {
      if (is_required(schema, member) && !value.contains(member)) return false;
    }
  }
  return true;
}

/// Whether the word at `begin` is the first of a sentence.
bool begins_sentence(const std::string& text, std::size_t begin) {
  return begin < 2 || std::string_view(".!?:").find(text[begin - 2]) != std::string_view::npos;
}

/// Whether `word` is a name by its looks.
bool is_name(const std::string& text, const SlotWord& word) {
  return word.shape == "A" && word.end - word.begin > 1 && is_content_word(word.lower) &&
         !begins_sentence(text, word.begin);
}

}  // namespace

SlotFit slot_fit(const SlotRequest& request,
                 const engine::SlotWeights& weights,
                 const ToolSpec& tool) {
  SlotFit out;
  const auto parameters = parse_json(tool.parameters, "parameters");
  if (!request.is_open() || !parameters || !parameters->is_object()) return out;
  std::vector<OpenSlot> slots;
  std::vector<SlotName> names = slot_names(*parameters);
  names.resize(std::min(names.size(), kFitSlotsMax));
  slots.reserve(names.size());
  for (const SlotName& name : names) {
    slots.push_back(open_slot(request, weights, tool, *parameters, name));
  }
  const Filled best = best_filled(slots, {}, {}).front();
  out.left = best.count_left(unexplained_words(request, tool, *parameters));
  std::set<std::string_view> filled;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (best.spans[i] + 1 < slots[i].slot.spans.size()) filled.insert(slots[i].name.name);
  }
  const Json& properties = properties_of(*parameters);
  out.filled = static_cast<int>(filled.size());
  out.open = static_cast<int>(properties.size()) - out.filled;
  bool has_list = false;
  for (const auto& [name, schema] : properties.items()) {
    const bool is_slot =
        std::any_of(names.begin(), names.end(), [own = std::string_view(name)](const auto& slot) {
          return slot.name == own;
        });
    has_list = has_list || (!is_slot && is_list(schema));
  }
  for (const SlotWord& word : request.words()) {
    if (best.takes({.begin = word.begin, .end = word.end})) continue;
    const bool has_digit = word.shape.find('9') != std::string::npos;
    out.leaves_number = out.leaves_number || (has_digit && !has_list);
    out.leaves_name = out.leaves_name || is_name(request.text(), word);
  }
  return out;
}

struct CallSlots::Impl {
  double share = 1.0;
  Json parameters;
  std::string request;
  std::vector<OpenSlot> slots;
  std::vector<Place> unexplained;

  [[nodiscard]] bool has_slot(const std::string& name) const {
    return std::any_of(
        slots.begin(), slots.end(), [&](const auto& one) { return one.name.name == name; });
  }

  /// Where the arguments that are no slots stand, if they were said once.
  [[nodiscard]] std::vector<Place> taken_by_others(const Json& arguments) const {
    std::vector<std::string> strings;
    for (const auto& [name, value] : arguments.items()) {
      if (!has_slot(name)) add_strings(value, strings);
    }
    std::vector<Place> out;
    for (const std::string& one : strings) {
      const std::size_t at = request.find(one);
      if (one.empty() || at == std::string::npos) continue;
      if (request.find(one, at + 1) == std::string::npos)
        out.push_back({.begin = at, .end = at + one.size()});
    }
    return out;
  }
};

CallSlots::CallSlots(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
CallSlots::CallSlots(CallSlots&&) noexcept = default;
CallSlots& CallSlots::operator=(CallSlots&&) noexcept = default;
CallSlots::~CallSlots() = default;

std::optional<CallSlots> CallSlots::make(const SlotSource& source,
                                         const ToolSpec& tool,
                                         const Json& parameters,
                                         const Json& arguments,
                                         const std::set<std::string>& doubtful) {
  if (source.weights == nullptr) return std::nullopt;
  const SlotRequest request(source.request);
  if (!request.is_open()) return std::nullopt;
  auto impl = std::make_unique<Impl>();
  impl->share = source.weights->share;
  impl->parameters = parameters;
  impl->request = request.text();
  for (const SlotName& name : slot_names(parameters)) {
    OpenSlot one = open_slot(request, *source.weights, tool, parameters, name);
    const Json now = slot_argument(arguments, name);
    if (!one.find(now)) {
      const bool is_other_list = is_flat_list(now) && one.slot.spans.size() > 1;
      if (!now.is_string() && !now.is_number() && !is_other_list) continue;
      const bool is_composed = now.is_string() && doubtful.contains(name.name) &&
                               has_words_of(impl->request, now.get<std::string>());
      if (!is_composed && !comes_from(impl->request, now)) return std::nullopt;
      if (now.is_string() && words_in(now.get<std::string>()) > kSlotSpanWordsMax) continue;
    }
    impl->slots.push_back(std::move(one));
  }
  if (impl->slots.empty()) return std::nullopt;
  if (source.is_whole) impl->unexplained = unexplained_words(request, tool, parameters);
  return CallSlots(std::move(impl));
}

double CallSlots::score(const Json& arguments) const {
  Filled filled{.taken = impl_->taken_by_others(arguments)};
  for (const OpenSlot& one : impl_->slots) {
    const auto span = one.find(slot_argument(arguments, one.name));
    filled.log_p += span ? one.log_p[*span] : *std::min_element(one.log_p.begin(), one.log_p.end());
    if (span) filled.taken.push_back(one.place(*span));
  }
  return impl_->share * (filled.log_p - kUnexplained * filled.count_left(impl_->unexplained));
}

std::vector<Json> CallSlots::best(const Json& arguments, std::size_t count) const {
  std::vector<Filled> all =
      best_filled(impl_->slots, impl_->taken_by_others(arguments), impl_->unexplained);
  std::vector<Json> out;
  for (const Filled& one : all) {
    if (out.size() == count) break;
    Json call = arguments;
    for (std::size_t i = 0; i < one.spans.size(); ++i) {
      const OpenSlot& slot = impl_->slots[i];
      call = with_slot_argument(
          std::move(call), impl_->parameters, slot.name, span_value(slot.slot, one.spans[i]));
    }
    if (has_whole_objects(call, impl_->parameters)) out.push_back(std::move(call));
  }
  return out;
}

}  // namespace facet::agent
