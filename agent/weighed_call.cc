#include "agent/weighed_call.h"

#include "agent/call_slots.h"
#include "agent/held_tool.h"
#include "agent/scored_text.h"
#include "agent/turn_constraint.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace facet::agent {
namespace {

using engine::TokenId;
using Json = nlohmann::ordered_json;

/// More cost more time than they are worth.
constexpr std::size_t kParametersMax = 12;
/// How often a better call is looked for near the best one so far.
constexpr int kRoundsMax = 2;
/// Calls of one round whose probability is asked for: those whose arguments score best alone.
constexpr std::size_t kWholeMax = 16;
/// Calls of one round whose slots are the most probable ones.
constexpr std::size_t kFilledMax = 6;
/// What scores more alone is what the model says of an argument: nothing else has as much.
const double kSure = std::log(0.5);
/// What scores less alone is not what the model would say: only what else may be said brought it
/// there.
const double kDoubtful = std::log(0.01);

/// The object that has the one member.
Json only(const std::string& name, const Json& value) {
  Json out = Json::object();
  out[name] = value;
  return out;
}

/// A call and what its arguments score alone.
struct Near {
  Json arguments;
  double alone = 0.0;
};

class CallWeigher {
 public:
  CallWeigher(const CallPlace& place,
              const ToolSpec& tool,
              const Json& parameters,
              const grammar::CopySource& source)
      : place_(place), tool_(tool), parameters_(parameters), source_(source) {}

  Result<std::optional<WrittenCall>> run(const Json& arguments) {
    std::optional<WrittenCall> found;
    FACET_TRY(const auto doubtful, doubtful_texts(arguments));
    slots_ = CallSlots::make(place_.slots, tool_, parameters_, arguments, doubtful);
    if (!slots_ && properties().size() < 2) return found;
    FACET_TRY(std::optional<Near> best, weighed(arguments));
    if (!best) return found;
    std::optional<double> score;
    for (int round = 0; round < kRoundsMax; ++round) {
      FACET_TRY(std::vector<Near> others, better_alone(*best));
      if (others.empty()) break;
      if (!score) {
        FACET_TRY(const auto written, whole(arguments));
        if (!written) break;
        score = written->score + best->alone + kWeighedMargin;
      }
      bool has_better = false;
      for (Near& one : others) {
        FACET_TRY(auto call, whole(one.arguments));
        if (!call || call->score + one.alone <= *score) continue;
        score = call->score + one.alone;
        found = std::move(call);
        best = std::move(one);
        has_better = true;
      }
      if (!has_better) break;
    }
    return found;
  }

 private:
  [[nodiscard]] const Json& properties() const { return parameters_.at("properties"); }

  [[nodiscard]] bool is_over() const { return place_.stop.stop_requested() || place_.is_late(); }

  /// The tokens of the call with `arguments` and no others; nullopt where it cannot be written.
  [[nodiscard]] Result<std::optional<std::vector<TokenId>>> ids_of(const Json& arguments) const {
    Json held = Json::object();
    for (const auto& [name, value] : arguments.items()) held[name] = held_value(value);
    const grammar::CopySource nothing;
    const prompts::TurnRules rules{
        .choice = {.mode = prompts::ToolChoice::Mode::named, .name = tool_.name},
        .calls_max = 1,
        .values = {.copies = &nothing}};
    const auto turn = make_turn_constraint(place_.dialect,
                                           {held_tool(tool_, parameters_, held)},
                                           rules,
                                           place_.factory,
                                           place_.engine.tokenizer());
    std::optional<std::vector<TokenId>> out;
    if (!turn || turn->callable.empty()) return out;
    const auto constraint = turn->constraint->clone();
    out.emplace();
    do {
      const std::vector<TokenId> forced = constraint->forced_tokens();
      if (forced.empty()) return std::optional<std::vector<TokenId>>();
      for (const TokenId id : forced) FACET_TRY_STATUS(constraint->accept(id));
      out->insert(out->end(), forced.begin(), forced.end());
    } while (constraint->is_open());
    return out;
  }

  /// The logarithm of the probability of `ids` behind `sequence`; nullopt where there is no room or
  /// no time for them.
  [[nodiscard]] Result<std::optional<double>> log_of(const engine::Sequence& sequence,
                                                     std::span<const TokenId> ids) const {
    if (is_over()) return std::optional<double>();
    return log_probability(sequence, ids, place_.stop);
  }

  /// What stands in front of the call and then `ids`, which is computed once; null where there is
  /// no room for it.
  Result<const engine::Sequence*> behind(const std::vector<TokenId>& ids) {
    const engine::Sequence* out = nullptr;
    if (const auto known = behind_.find(ids); known != behind_.end()) return &known->second;
    if (std::ssize(ids) > place_.tokens_max || is_over()) return out;
    // The calls begin alike.
    const engine::Sequence* nearest = &place_.sequence;
    std::size_t shared = 0;
    for (const auto& [other, sequence] : behind_) {
      const auto end = std::mismatch(ids.begin(), ids.end(), other.begin(), other.end()).first;
      const auto count = static_cast<std::size_t>(end - ids.begin());
      if (count > shared) {
        nearest = &sequence;
        shared = count;
      }
    }
    engine::Sequence sequence = nearest->fork();
    FACET_TRY_STATUS(sequence.rewind(place_.sequence.tokens().size() + shared));
    const Status status = sequence.append(std::span(ids).subspan(shared), place_.stop);
    if (!status && !is_no_room(status.error())) return status.error();
    if (status) out = &behind_.emplace(ids, std::move(sequence)).first->second;
    return out;
  }

  /// The call with `arguments`; nullopt where the output may not go on with it.
  [[nodiscard]] Result<std::optional<WrittenCall>> whole(const Json& arguments) const {
    std::optional<WrittenCall> out;
    FACET_TRY(auto ids, ids_of(arguments));
    if (!ids) return out;
    const auto outer = place_.constraint.clone();
    for (const TokenId id : *ids) {
      if (!outer->accept(id)) return out;
    }
    if (std::ssize(*ids) > place_.tokens_max) return out;
    FACET_TRY(const auto score, log_of(place_.sequence, *ids));
    if (!score) return out;
    out = WrittenCall{
        {.name = tool_.name, .arguments = dump_json(arguments)}, *std::move(ids), *score};
    return out;
  }

  /// The logarithm of the probability of `value`, where `name` is the only argument.
  Result<std::optional<double>> alone(const std::string& name, const Json& value) {
    const auto key = std::make_pair(name, dump_json(value));
    if (const auto known = alone_.find(key); known != alone_.end()) return known->second;
    std::optional<double> out;
    FACET_TRY(const auto ids, ids_of(only(name, value)));
    // What this shares with the call that says something else is not the value.
    FACET_TRY(const auto other, ids_of(only(name, value.is_string() ? Json() : Json("0"))));
    if (ids && other) {
      const auto begin =
          std::mismatch(ids->begin(), ids->end(), other->begin(), other->end()).first;
      const auto end =
          std::mismatch(ids->rbegin(), ids->rend(), other->rbegin(), other->rend()).first.base();
      FACET_TRY(const auto* front, behind({ids->begin(), begin}));
      if (front != nullptr && begin < end) {
        FACET_TRY(out, log_of(*front, {begin, end}));
      }
    }
    alone_.emplace(key, out);
    return out;
  }

  /// The arguments that are texts of which the model is in doubt, where slots are weighed.
  Result<std::set<std::string>> doubtful_texts(const Json& arguments) {
    std::set<std::string> out;
    if (place_.slots.weights == nullptr) return out;
    for (const auto& [name, value] : arguments.items()) {
      if (!value.is_string()) continue;
      FACET_TRY(const auto score, alone(name, value));
      if (score && *score < kDoubtful) out.insert(name);
    }
    return out;
  }

  /// nullopt where one of the arguments cannot be asked for.
  Result<std::optional<Near>> weighed(Json arguments) {
    double sum = 0.0;
    for (const auto& [name, schema] : properties().items()) {
      FACET_TRY(const auto score, alone(name, argument_of(arguments, name)));
      if (!score) return std::optional<Near>();
      sum += *score;
    }
    if (slots_) sum += slots_->score(arguments);
    return std::optional(Near{std::move(arguments), sum});
  }

  /// Whether values of the argument `name` are chosen anew.
  [[nodiscard]] bool is_open(const std::string& name) const {
    const auto found = properties().find(name);
    if (found == properties().end()) return false;
    Json schema = *found;
    if (schema.is_object()) schema.erase("enum");
    return is_plain(schema);
  }

  /// What the model says of `name` alone; null where it says nothing.
  Result<Json> asked(const std::string& name) {
    if (const auto known = asked_.find(name); known != asked_.end()) return known->second;
    const ToolSpec tool = held_tool(tool_, parameters_, only(name, properties().at(name)));
    CallPlace here = place_;
    here.beams = 1;
    FACET_TRY(const auto found,
              write_call(here, {.tool = tool, .source = source_, .may_lack = true}));
    Json out;
    if (found) {
      FACET_TRY(const Json arguments, parse_json(found->call.arguments, "arguments"));
      out = argument_of(arguments, name);
    }
    asked_.emplace(name, out);
    return out;
  }

  [[nodiscard]] std::vector<SaidOnce> said(const Json& arguments) const {
    return said_once(tool_, {.name = tool_.name, .arguments = dump_json(arguments)}, source_);
  }

  /// Whether `name` holds a part of what another argument holds, or the other way round.
  [[nodiscard]] bool shares(const Json& arguments, const std::string& name) const {
    const auto all = said(arguments);
    return std::any_of(all.begin(), all.end(), [&](const SaidOnce& one) {
      return one.argument == name && std::any_of(all.begin(), all.end(), [&](const auto& other) {
               return other.argument != name && other.place.overlaps(one.place);
             });
    });
  }

  [[nodiscard]] Json with(Json arguments, const std::string& name, const Json& value) const {
    return with_argument(std::move(arguments), parameters_, name, value);
  }

  /// Two arguments with what the other one held.
  void add_exchanged(const Json& arguments, std::vector<Json>& out) const {
    const auto is_movable = [&](const auto& member) {
      return (member->is_string() || member->is_number()) && is_open(member.key());
    };
    for (auto a = arguments.begin(); a != arguments.end(); ++a) {
      for (auto b = std::next(a); b != arguments.end(); ++b) {
        if (!is_movable(a) || !is_movable(b) || a->is_string() != b->is_string()) continue;
        out.push_back(with(with(arguments, a.key(), *b), b.key(), *a));
      }
    }
  }

  /// One argument with what is said of it alone.
  Status add_asked(const Json& arguments, std::vector<Json>& out) {
    for (const auto& [name, schema] : properties().items()) {
      const Json now = argument_of(arguments, name);
      FACET_TRY(const auto score, alone(name, now));
      if (is_over() || !score || *score > kSure || !is_open(name)) continue;
      FACET_TRY(const Json value, asked(name));
      if (value.is_null() || value == now) continue;
      Json other = with(arguments, name, value);
      if (const auto twice = repeated_value(said(other))) {
        const std::string& before = twice->first == name ? twice->second : twice->first;
        if (before == name || !is_open(before)) continue;
        FACET_TRY(const Json instead, asked(before));
        out.push_back(with(other, before, Json()));
        other = with(other, before, instead);
      }
      if (!now.is_null() || !shares(other, name)) out.push_back(std::move(other));
    }
    return ok();
  }

  /// The best calls near `best` whose arguments score more alone, the best one first.
  Result<std::vector<Near>> better_alone(const Near& best) {
    std::vector<Json> others;
    add_exchanged(best.arguments, others);
    FACET_TRY_STATUS(add_asked(best.arguments, others));
    if (slots_) {
      const auto filled = slots_->best(best.arguments, kFilledMax);
      others.insert(others.end(), filled.begin(), filled.end());
    }
    std::vector<Near> out;
    for (Json& other : others) {
      if (repeated_value(said(other))) continue;
      FACET_TRY(auto one, weighed(std::move(other)));
      if (one && one->alone > best.alone) out.push_back(*std::move(one));
    }
    std::stable_sort(
        out.begin(), out.end(), [](const Near& a, const Near& b) { return a.alone > b.alone; });
    out.resize(std::min(out.size(), kWholeMax));
    return out;
  }

  const CallPlace& place_;
  const ToolSpec& tool_;
  const Json& parameters_;
  const grammar::CopySource& source_;
  std::optional<CallSlots> slots_;
  std::map<std::pair<std::string, std::string>, std::optional<double>> alone_;
  std::map<std::string, Json> asked_;
  std::map<std::vector<TokenId>, engine::Sequence> behind_;
};

/// The schema of `tool`, where its calls can be weighed.
std::optional<Json> weighed_parameters(const ToolSpec& tool, const SlotSource& slots) {
  auto parameters = parse_json(tool.parameters, "parameters");
  if (!parameters || !is_plain(*parameters)) return std::nullopt;
  const std::size_t least = slots.weights == nullptr ? 2 : 1;
  const std::size_t count = properties_of(*parameters).size();
  if (count < least || count > kParametersMax) return std::nullopt;
  return *std::move(parameters);
}

}  // namespace

bool is_weighed(const ToolSpec& tool, const SlotSource& slots) {
  return weighed_parameters(tool, slots).has_value();
}

Result<std::optional<WrittenCall>> weighed_call(const CallPlace& place,
                                                const ToolSpec& tool,
                                                const ToolCall& call,
                                                const grammar::CopySource& source) {
  const auto arguments = parse_json(call.arguments, "arguments");
  const auto parameters = weighed_parameters(tool, place.slots);
  if (!arguments || !arguments->is_object() || !parameters) return std::optional<WrittenCall>();
  return CallWeigher(place, tool, *parameters, source).run(*arguments);
}

}  // namespace facet::agent
