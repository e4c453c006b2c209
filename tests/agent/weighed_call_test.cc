// Calls weighed argument by argument, beside scores that are counted token by token.
#include "agent/weighed_call.h"

#include "agent/local_chat_model.h"
#include "agent/turn_constraint.h"
#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/copied_ref.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

using Json = nlohmann::ordered_json;

const ToolSpec kFly{.name = "fly",
                    .description = "Flies.",
                    .parameters = R"({"type":"object","properties":{"from":{"type":"string"},)"
                                  R"("seats":{"type":"integer"},"to":{"type":"string"}},)"
                                  R"("required":["from"]})"};
const std::vector<std::string> kParameters = {"from", "seats", "to"};
constexpr const char* kSaid = "Rome Oslo 4";

/// A call of kFly behind a prompt, and everything that weighing it needs.
class Place {
 public:
  explicit Place(std::uint32_t seed, const std::string& prompt) {
    const TempDir dir;
    const auto path = dir.path() / "tiny.gguf";
    write_tiny_gguf(path, {.seed = seed, .context_tokens_max = 512});
    auto engine = engine::Engine::load({.model = path, .threads = 1});
    REQUIRE(engine);
    auto model = LocalChatModel::create(*engine, "functiongemma");
    REQUIRE(model);
    model_ = *std::move(model);
    sequence_.emplace(model_->engine().new_sequence());
    REQUIRE(sequence_->append(model_->tokenizer()->encode(prompt)));
    const prompts::TurnRules rules{.values = {.copies = &source, .may_lack = true}};
    auto turn = make_turn_constraint(
        model_->dialect(), {kFly}, rules, model_->constraints(), *model_->tokenizer());
    REQUIRE(turn);
    constraint_ = std::move(turn->constraint);
    stops_ = stop_ids(model_->dialect(), *model_->tokenizer());
  }

  [[nodiscard]] CallPlace place(std::int64_t tokens_max = 200) const {
    return {.engine = model_->engine(),
            .dialect = model_->dialect(),
            .factory = model_->constraints(),
            .stop_ids = stops_,
            .sequence = *sequence_,
            .constraint = *constraint_,
            .tokens_max = tokens_max,
            .is_late = [] { return false; }};
  }

  /// The logarithm of the probability of `value` behind `before`, token by token.
  [[nodiscard]] double log_of(std::vector<Segment> before,
                              const std::vector<Segment>& value) const {
    const auto tokenizer = model_->tokenizer();
    auto sequence = sequence_->fork();
    const auto front = tokenizer->encode(before);
    before.insert(before.end(), value.begin(), value.end());
    const auto ids = tokenizer->encode(before);
    double sum = 0.0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto logits = sequence.logits();
      REQUIRE(logits);
      double all = 0.0;
      for (const float logit : *logits) all += std::exp(static_cast<double>(logit));
      const double log = (*logits)[static_cast<std::size_t>(ids[i])] - std::log(all);
      if (i >= front.size()) sum += log;
      REQUIRE(sequence.append({&ids[i], 1}));
    }
    return sum;
  }

  /// Of the whole call.
  [[nodiscard]] double written(const Json& arguments) const {
    std::vector<Segment> call = {control("<start_function_call>"), data("call:fly{")};
    bool is_first = true;
    for (const std::string& name : kParameters) {
      if (!arguments.contains(name)) continue;
      call.push_back(data((is_first ? "" : ",") + name + ":"));
      is_first = false;
      for (const auto& segment : shown(arguments.at(name))) call.push_back(segment);
    }
    call.push_back(data("}"));
    call.push_back(control("<end_function_call>"));
    return log_of({}, call);
  }

  /// Of each argument, where it is the only one.
  [[nodiscard]] double alone(const Json& arguments) const {
    double sum = 0.0;
    for (const std::string& name : kParameters) {
      const Json value = arguments.contains(name) ? arguments.at(name) : Json();
      sum +=
          log_of({control("<start_function_call>"), data("call:fly{" + name + ":")}, shown(value));
    }
    return sum;
  }

  /// What weighed_call() compares, as its header says.
  [[nodiscard]] double score(const Json& arguments) const {
    return written(arguments) + alone(arguments);
  }

  const grammar::CopySource source = source_of({kSaid});

 private:
  using Kind = Segment::Kind;
  static Segment control(std::string text) { return {Kind::control, std::move(text)}; }
  static Segment data(std::string text) { return {Kind::data, std::move(text)}; }

  static std::vector<Segment> shown(const Json& value) {
    if (value.is_null()) return {data("None")};
    if (!value.is_string()) return {data(value.dump())};
    return {control("<escape>"), data(value.get<std::string>()), control("<escape>")};
  }

  std::unique_ptr<LocalChatModel> model_;
  std::optional<engine::Sequence> sequence_;
  std::unique_ptr<engine::Constraint> constraint_;
  std::vector<engine::TokenId> stops_;
};

ToolCall call_of(const Json& arguments) {
  return {.name = "fly", .arguments = dump_json(arguments)};
}

}  // namespace

TEST_CASE("a weighed call scores better, by what its header says", "[agent]") {
  int changed = 0;
  int kept = 0;
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    const Place place(seed, "fly with me");
    for (const char* text : {R"({"from":"Rome","to":"Oslo"})",
                             R"({"from":"Oslo","seats":4})",
                             R"({"from":null,"to":"Rome"})",
                             R"({"from":"Rome Oslo","seats":4})"}) {
      const Json arguments = Json::parse(text);
      const auto found = weighed_call(place.place(), kFly, call_of(arguments), place.source);
      INFO(seed << " " << text << " " << (found ? "" : found.error().message));
      REQUIRE(found);
      const double before = place.score(arguments) + kWeighedMargin;
      if (*found) {
        ++changed;
        const Json other = Json::parse((*found)->call.arguments);
        INFO((*found)->call.arguments);
        CHECK(other != arguments);
        CHECK(place.score(other) > before - 1e-3);
        CHECK((*found)->score == Approx(place.written(other)).margin(1e-3));
        CHECK_FALSE(repeated_value(said_once(kFly, (*found)->call, place.source)));
      } else {
        ++kept;
      }
      // Two strings exchanged are always near.
      if (!arguments.contains("to") || !arguments["from"].is_string()) continue;
      const Json exchanged = {{"from", arguments["to"]}, {"to", arguments["from"]}};
      const double best = *found ? place.score(Json::parse((*found)->call.arguments)) : before;
      CHECK((place.score(exchanged) < best + 1e-3 ||
             place.alone(exchanged) < place.alone(arguments) + 1e-3));
    }
  }
  CHECK(changed > 0);
  CHECK(kept > 0);
}

TEST_CASE("slots that are sure decide a weighed call", "[agent]") {
  // The two words exchanged are what the table has weights for.
  const SlotRequest request("Rome Oslo");
  const Json parameters = Json::parse(kFly.parameters);
  engine::SlotWeights weights{.table = std::vector<std::int8_t>(1U << 16U), .share = 100.0};
  const auto prefer = [&](const char* name, const std::string& value) {
    const Slot slot = request.slot(kFly, parameters, {name, ""});
    for (const SlotSpan& span : slot.spans) {
      if (span.value != value) continue;
      for (const std::uint32_t of : slot.features) {
        for (const std::uint32_t one : span.crossed) {
          weights.table[crossed_feature(of, one) % weights.table.size()] = 100;
        }
      }
    }
  };
  prefer("from", "Oslo");
  prefer("to", "Rome");
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    const Place place(seed, "fly with me");
    CallPlace here = place.place();
    here.slots = {.weights = &weights, .request = "Rome Oslo"};
    const auto found =
        weighed_call(here, kFly, call_of({{"from", "Rome"}, {"to", "Oslo"}}), place.source);
    REQUIRE(found);
    REQUIRE(*found);
    CHECK(Json::parse((*found)->call.arguments) == Json({{"from", "Oslo"}, {"to", "Rome"}}));
  }
}

TEST_CASE("a call stays where nothing can be weighed", "[agent]") {
  const Place place(1, "fly with me");
  const Json arguments = {{"from", "Rome"}, {"to", "Oslo"}};
  const auto weighed = [&](const std::string& parameters, const std::string& said) {
    const ToolSpec tool{.name = "fly", .description = "Flies.", .parameters = parameters};
    const ToolCall call{.name = "fly", .arguments = said};
    CHECK(is_weighed(tool, {}) == (parameters == kFly.parameters));
    const auto found = weighed_call(place.place(), tool, call, place.source);
    INFO(parameters << " " << (found ? "" : found.error().message));
    REQUIRE(found);
    return found->has_value();
  };
  Json many = {{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 13; ++i) many["properties"]["p" + std::to_string(i)] = {{"type", "string"}};
  CHECK_FALSE(weighed(R"({"type":"object","properties":{"from":{"type":"string"}}})",
                      R"({"from":"Rome"})"));
  CHECK_FALSE(weighed(many.dump(), R"({"p0":"Rome","p1":"Oslo"})"));
  CHECK_FALSE(weighed(R"({"$ref":"#/$defs/a"})", arguments.dump()));
  CHECK_FALSE(weighed(R"({"type":"object"})", arguments.dump()));
  CHECK_FALSE(weighed("{", arguments.dump()));
  CHECK_FALSE(weighed(kFly.parameters, "{"));
  CHECK_FALSE(weighed(kFly.parameters, "[]"));
}

TEST_CASE("a call stays where there is no room or no time to weigh it", "[agent]") {
  const Place place(1, "fly with me");
  const ToolCall call = call_of({{"from", "Rome"}, {"to", "Oslo"}});
  CallPlace late = place.place();
  late.is_late = [] { return true; };
  CallPlace stopped = place.place();
  std::stop_source stop;
  stop.request_stop();
  stopped.stop = stop.get_token();
  for (const CallPlace& here : {place.place(1), late, stopped}) {
    const auto found = weighed_call(here, kFly, call, place.source);
    INFO((found ? "" : found.error().message));
    REQUIRE(found);
    CHECK_FALSE(found->has_value());
  }
  // However much room there is, and whenever the time is over: no error, and no call that is too
  // long.
  for (std::int64_t tokens_max = 2; tokens_max < 80; tokens_max += 3) {
    int asked = 0;
    CallPlace here = place.place(tokens_max);
    here.is_late = [&] { return ++asked > 5 * tokens_max; };
    const auto found = weighed_call(here, kFly, call, place.source);
    REQUIRE(found);
    if (*found) CHECK(std::ssize((*found)->ids) <= tokens_max);
  }
}

TEST_CASE("a greedy output tells of the weighed calls, a sampled one of its own", "[agent]") {
  const TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  int changed = 0;
  const std::string user = GENERATE("a b c d", "b a d c");
  for (std::uint32_t seed = 1; seed <= 24; ++seed) {
    write_tiny_gguf(path, {.seed = seed, .context_tokens_max = 2048});
    auto engine = engine::Engine::load({.model = path, .threads = 1});
    REQUIRE(engine);
    const auto model = LocalChatModel::create(*engine, "functiongemma");
    REQUIRE(model);
    using Mode = prompts::ToolChoice::Mode;
    const auto ask = [&](ArgumentForm form) {
      auto conversation =
          (*model)->start({.plan_first = false,
                           .tools = {kFly},
                           .rules = {.choice = {.mode = Mode::required}, .calls_max = 2},
                           .arguments = form});
      REQUIRE(conversation);
      REQUIRE((*conversation)->add_user(user));
      return *std::move(conversation);
    };
    const auto asked = [&](float temperature) {
      const auto conversation = ask(ArgumentForm::copied);
      std::vector<ToolCall> told;
      const auto step = conversation->generate(
          {.tokens_max = 120, .sampling = {.temperature = temperature, .seed = seed}},
          [&](const prompts::ParseEvent& event) {
            if (event.kind == prompts::ParseEvent::Kind::call_finished) told.push_back(event.call);
          });
      INFO((step ? step->raw : step.error().message));
      REQUIRE(step);
      CHECK(told == step->tool_calls);
      const auto again = ask(ArgumentForm::copied);
      REQUIRE(again->replay(*step));
      CHECK(again->context_tokens() == conversation->context_tokens());
      return step->raw;
    };
    const std::string greedy = asked(0.0F);
    CHECK(asked(0.0F) == greedy);
    // As good as greedy, but sampled.
    changed += asked(1e-6F) != greedy ? 1 : 0;
  }
  CHECK(changed > 0);
}
