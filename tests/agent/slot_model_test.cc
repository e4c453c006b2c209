// Slots of a request, beside probabilities that are summed feature by feature, and calls beside all
// that can be made of two words.
#include "agent/slot_model.h"

#include "agent/call_slots.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace facet;
using namespace facet::agent;

namespace {

using Json = nlohmann::ordered_json;

const ToolSpec kMove{
    .name = "move_compost",
    .description = "Moves a compost heap.",
    .parameters =
        R"({"type":"object","properties":{"ref":{"type":"string","description":"Which compost heap"},)"
        R"("to":{"type":"string","description":"The place"},"kilos":{"type":"integer"},)"
        R"("speed":{"type":"string","enum":["slow","fast"]}},"required":["ref"]})"};
const Json kParameters = Json::parse(kMove.parameters);

std::vector<std::string> values_of(const Slot& slot) {
  std::vector<std::string> out;
  for (const SlotSpan& span : slot.spans) out.push_back(span.value);
  return out;
}

engine::SlotWeights random_weights(std::uint32_t seed, std::size_t size = 4096) {
  std::mt19937 random(seed);
  engine::SlotWeights out{.scale = 0.02, .share = 1.5};
  for (std::size_t i = 0; i < size; ++i) {
    out.table.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127));
  }
  return out;
}

/// The score of a span, as the header says.
double score_of(const Slot& slot, const SlotSpan& span, const engine::SlotWeights& weights) {
  double sum = 0.0;
  std::vector<std::uint32_t> features = span.own;
  for (const std::uint32_t one : span.crossed) {
    features.push_back(one);
    for (const std::uint32_t of : slot.features) features.push_back(crossed_feature(of, one));
  }
  for (const std::uint32_t one : features) sum += weights.table[one % weights.table.size()];
  return sum * weights.scale;
}

Json held(const Json& arguments, const std::string& name) {
  return arguments.contains(name) ? arguments.at(name) : Json();
}

}  // namespace

TEST_CASE("words of a request have places and shapes", "[agent]") {
  const SlotRequest request("  Move XB-12, (at 10:30) on\n3 May, to Zürich Élan monday!");
  CHECK(request.text() == "Move XB-12, (at 10:30) on 3 May, to Zürich Élan monday!");
  std::vector<std::pair<std::string, std::string>> found;
  for (const SlotWord& word : request.words()) {
    found.emplace_back(request.text().substr(word.begin, word.end - word.begin), word.shape);
  }
  CHECK(found == std::vector<std::pair<std::string, std::string>>{{"Move", "A"},
                                                                  {"XB-12", "A-9"},
                                                                  {"at", "a"},
                                                                  {"10:30", "9:9"},
                                                                  {"on", "a"},
                                                                  {"3", "9"},
                                                                  {"May", "M"},
                                                                  {"to", "a"},
                                                                  {"Zürich", "A"},
                                                                  {"Élan", "A"},
                                                                  {"monday", "D"}});
  CHECK(request.words()[1].lower == "xb-12");
  CHECK_FALSE(SlotRequest(" ,.! ").is_open());
  std::string longest = "a";
  for (std::size_t i = 1; i < kSlotRequestWordsMax; ++i) longest += " a";
  CHECK(SlotRequest(longest).is_open());
  CHECK_FALSE(SlotRequest(longest + " a").is_open());
}

TEST_CASE("a slot holds words in a row, or a number, or nothing", "[agent]") {
  const SlotRequest request("Move \"A-1\" to Oslo, 20 kg");
  CHECK(values_of(request.slot(kMove, kParameters, {"kilos", ""})) ==
        std::vector<std::string>{"20", ""});
  const auto words = values_of(request.slot(kMove, kParameters, {"ref", ""}));
  CHECK(words.size() == 21 + 1);
  for (const char* value : {"Move", "A-1", "A-1\" to Oslo, 20", "Oslo, 20 kg", "kg"}) {
    CHECK(std::find(words.begin(), words.end(), value) != words.end());
  }
  CHECK(words.back().empty());
  const SlotRequest numbers("1.5 4/11/2030 30kg $1,200 XB12 -3");
  CHECK(values_of(numbers.slot(kMove, kParameters, {"kilos", ""})) ==
        std::vector<std::string>{"30", "1200", "-3", ""});
  CHECK(slot_names(kParameters) ==
        std::vector<SlotName>{{"ref", ""}, {"to", ""}, {"kilos", ""}, {"speed", ""}});
  CHECK(slot_names(Json::parse(R"({"properties":{"a":{"type":"array","items":{"type":"array"}},)"
                               R"("b":{"type":["string","null"]},"c":{},"d":7,)"
                               R"("e":{"type":"string","enum":["a",1]},)"
                               R"("f":{"type":"object","properties":{"g":{"type":"object"}}},)"
                               R"("h":{"type":"array"},"i":{"enum":["a"]}}})"))
            .empty());
  for (const char* none : {R"({})", R"({"properties":[]})", R"({"properties":null})", "[]"}) {
    CHECK(slot_names(Json::parse(none)).empty());
  }
}

TEST_CASE("a slot may be a list, a value that is listed, true or false, or in an object",
          "[agent]") {
  const ToolSpec tool{
      .name = "pack",
      .description = "Packs.",
      .parameters =
          R"({"type":"object","properties":{"items":{"type":"array","items":{"type":"string"}},)"
          R"("sizes":{"type":"array","items":{"type":"integer"}},)"
          R"("trip":{"type":"string","enum":["round_trip","one_way"]},"gift":{"type":"boolean"},)"
          R"("to":{"type":"object","properties":{"name":{"type":"string"},)"
          R"("floor":{"type":"integer"}},"required":["name"]}},"required":["items"]})"};
  const Json parameters = Json::parse(tool.parameters);
  const std::vector<SlotName> names = {
      {"items", ""}, {"sizes", ""}, {"trip", ""}, {"gift", ""}, {"to", "name"}, {"to", "floor"}};
  CHECK(slot_names(parameters) == names);
  const SlotRequest request("Pack milk and eggs, 3 or 4.5, as no gift for Ann on the round trip");
  const auto slot = [&](const SlotName& name) { return request.slot(tool, parameters, name); };
  const auto has = [&](const SlotName& name, const Json& value) {
    return !spans_of(slot(name), value).empty();
  };
  CHECK(has({"items", ""}, {"milk", "eggs"}));
  CHECK(has({"items", ""}, {"eggs", "3"}));
  CHECK_FALSE(has({"items", ""}, {"eggs", "milk"}));
  CHECK_FALSE(has({"items", ""}, "milk"));
  CHECK(values_of(slot({"sizes", ""})) == std::vector<std::string>{"[3]", ""});
  // Where it is said, or where nothing says it.
  const Slot trip = slot({"trip", ""});
  CHECK(values_of(trip) == std::vector<std::string>{R"("round_trip")", R"("one_way")", ""});
  CHECK(request.text().substr(trip.spans[0].begin, trip.spans[0].end - trip.spans[0].begin) ==
        "round trip");
  CHECK(trip.spans[1].begin == trip.spans[1].end);
  CHECK(values_of(slot({"gift", ""})) ==
        std::vector<std::string>{"true", "true", "false", "false", ""});
  CHECK(spans_of(slot({"gift", ""}), false).size() == 2);
  CHECK(has({"to", "name"}, "Ann"));
  CHECK(values_of(slot({"to", "floor"})) == std::vector<std::string>{"3", ""});

  const Json call = Json::parse(R"({"items":["milk","eggs"],"to":{"name":"Ann","floor":3}})");
  CHECK(slot_argument(call, {"to", "name"}) == "Ann");
  CHECK(slot_argument(call, {"items", ""}) == call["items"]);
  CHECK(slot_argument(call, {"gift", ""}).is_null());
  CHECK(slot_argument({{"to", nullptr}}, {"to", "name"}).is_null());
  const auto with = [&](const Json& from, const SlotName& name, const Json& value) {
    return with_slot_argument(from, parameters, name, value);
  };
  CHECK(with(call, {"to", "floor"}, 4)["to"] == Json({{"name", "Ann"}, {"floor", 4}}));
  CHECK(with(call, {"to", "floor"}, Json())["to"] == Json({{"name", "Ann"}}));
  CHECK_FALSE(with(with(call, {"to", "floor"}, Json()), {"to", "name"}, Json()).contains("to"));
  CHECK(with(Json::object(), {"to", "name"}, "Bo") == Json({{"to", {{"name", "Bo"}}}}));
  CHECK(with(call, {"items", ""}, Json())["items"].is_null());

  // No call has an object that lacks what it requires.
  std::size_t objects = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const engine::SlotWeights weights = random_weights(seed);
    const auto slots = CallSlots::make(
        {.weights = &weights, .request = request.text()}, tool, parameters, Json::object());
    REQUIRE(slots);
    for (const Json& one : slots->best(Json::object(), 10)) {
      if (!one.contains("to")) continue;
      ++objects;
      CHECK(one["to"].contains("name"));
    }
  }
  CHECK(objects > 0);
}

TEST_CASE("the probabilities of a slot's spans are those of their features", "[agent]") {
  const SlotRequest request("Move compost XB-12 to the basement");
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    const engine::SlotWeights weights = random_weights(seed);
    for (const char* name : {"ref", "to", "kilos"}) {
      const Slot slot = request.slot(kMove, kParameters, {name, ""});
      const auto log_p = slot_log_p(slot, weights);
      REQUIRE(log_p.size() == slot.spans.size());
      double all = 0.0;
      for (const SlotSpan& span : slot.spans) all += std::exp(score_of(slot, span, weights));
      double sum = 0.0;
      for (std::size_t i = 0; i < log_p.size(); ++i) {
        CHECK(log_p[i] == Approx(score_of(slot, slot.spans[i], weights) - std::log(all)));
        sum += std::exp(log_p[i]);
      }
      CHECK(sum == Approx(1.0));
    }
  }
}

TEST_CASE("the slots of a call score what their spans are worth", "[agent]") {
  const engine::SlotWeights weights = random_weights(7);
  const SlotSource source{.weights = &weights, .request = "Move XB-12 to Oslo 20"};
  const SlotRequest request(source.request);
  const Json call = {{"ref", "XB-12"}, {"kilos", 20}};
  const auto slots = CallSlots::make(source, kMove, kParameters, call);
  REQUIRE(slots);
  const auto log_of = [&](const std::string& name, const std::string& value) {
    const Slot slot = request.slot(kMove, kParameters, {name, ""});
    const auto log_p = slot_log_p(slot, weights);
    double worst = 0.0;
    for (std::size_t i = 0; i < log_p.size(); ++i) {
      if (slot.spans[i].value == value) return log_p[i];
      worst = std::min(worst, log_p[i]);
    }
    return worst;
  };
  const double both = log_of("kilos", "20") + log_of("to", "") + log_of("speed", "");
  CHECK(slots->score(call) == Approx(weights.share * (log_of("ref", "XB-12") + both)));
  // What is no span is as bad as the worst one.
  CHECK(slots->score({{"ref", "12 Move"}, {"kilos", 20}}) ==
        Approx(weights.share * (log_of("ref", "12 Move") + both)));
}

TEST_CASE("the best calls are those of all that two words allow", "[agent]") {
  const ToolSpec tool{.name = "fly",
                      .description = "Flies.",
                      .parameters = R"({"type":"object","properties":{"from":{"type":"string"},)"
                                    R"("to":{"type":"string"}},"required":["from"]})"};
  const Json parameters = Json::parse(tool.parameters);
  const std::vector<Json> choices = {Json(), "Rome", "Oslo", "Rome Oslo"};
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const engine::SlotWeights weights = random_weights(seed);
    const SlotSource source{.weights = &weights, .request = "Rome Oslo"};
    const auto slots = CallSlots::make(source, tool, parameters, {{"from", "Rome"}});
    REQUIRE(slots);
    std::vector<std::pair<double, Json>> all;
    for (const Json& from : choices) {
      for (const Json& to : choices) {
        const bool is_one = !from.is_null() && !to.is_null();
        if (is_one && (from == to || from == "Rome Oslo" || to == "Rome Oslo")) continue;
        Json call = {{"from", from}};
        if (!to.is_null()) call["to"] = to;
        all.emplace_back(slots->score(call), call);
      }
    }
    std::stable_sort(
        all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    const auto best = slots->best({{"from", "Rome"}}, 3);
    REQUIRE(best.size() == 3);
    for (std::size_t i = 0; i < best.size(); ++i) {
      INFO(seed << " " << best[i].dump() << " " << all[i].second.dump());
      CHECK(slots->score(best[i]) == Approx(all[i].first));
      CHECK(held(best[i], "to") == held(all[i].second, "to"));
    }
  }
}

TEST_CASE("what is no slot keeps its words", "[agent]") {
  const ToolSpec tool{.name = "fly",
                      .description = "Flies.",
                      .parameters =
                          R"({"type":"object","properties":{"to":{"type":"string"},"with":)"
                          R"({"type":"array","items":{"type":"string"}}}})"};
  const Json parameters = Json::parse(tool.parameters);
  const engine::SlotWeights weights = random_weights(3);
  const SlotSource source{.weights = &weights, .request = "Rome Ann Bob"};
  const Json call = {{"with", {"Ann", "Bob"}}};
  const auto slots = CallSlots::make(source, tool, parameters, call);
  REQUIRE(slots);
  const auto best = slots->best(call, 10);
  CHECK(best.size() == 2);  // Rome, or nothing.
  for (const Json& one : best) {
    CHECK(one["with"] == call["with"]);
    CHECK((!one.contains("to") || one["to"] == "Rome"));
  }
}

TEST_CASE("a list that the request does not say gives way to those that it may say", "[agent]") {
  const ToolSpec tool{.name = "draw",
                      .description = "Draws.",
                      .parameters = R"({"type":"object","properties":{"price":{"type":"number"},)"
                                    R"("sizes":{"type":"array","items":{"type":"integer"}}}})"};
  const Json parameters = Json::parse(tool.parameters);
  const engine::SlotWeights weights = random_weights(3);
  const SlotSource source{.weights = &weights, .request = "Below 830 with 190, 61 and 44"};
  const Json mixed = {{"price", 190}, {"sizes", {830, 61, 44}}};
  const auto slots = CallSlots::make(source, tool, parameters, mixed);
  REQUIRE(slots);
  const auto best = slots->best(mixed, 400);
  const auto has = [&](const Json& call) {
    return std::find(best.begin(), best.end(), call) != best.end();
  };
  CHECK(has({{"price", 830}, {"sizes", {190, 61, 44}}}));
  CHECK_FALSE(has(mixed));
  // An item that was not said is another turn's.
  CHECK_FALSE(CallSlots::make(source, tool, parameters, {{"sizes", {190, 7}}}));
}

TEST_CASE("key words give way to a span where the model is in doubt of them", "[agent]") {
  const engine::SlotWeights weights = random_weights(3);
  const SlotSource source{.weights = &weights, .request = "Move XB-12 over to Oslo"};
  const Json call = {{"ref", "XB-12 Oslo"}};
  CHECK_FALSE(CallSlots::make(source, kMove, kParameters, call));
  CHECK_FALSE(CallSlots::make(source, kMove, kParameters, call, {"to"}));
  CHECK_FALSE(CallSlots::make(source, kMove, kParameters, {{"ref", "XB-12 Rome"}}, {"ref"}));
  const auto slots = CallSlots::make(source, kMove, kParameters, call, {"ref"});
  REQUIRE(slots);
  const auto best = slots->best(call, 400);
  const auto has = [&](const char* ref) {
    return std::any_of(
        best.begin(), best.end(), [&](const Json& one) { return one["ref"] == ref; });
  };
  CHECK(has("XB-12"));
  CHECK_FALSE(has("XB-12 Oslo"));
}

TEST_CASE("a call that is all that is asked for holds what nothing explains", "[agent]") {
  const engine::SlotWeights none{.table = std::vector<std::int8_t>(64), .scale = 1.0, .share = 2.0};
  const auto made = [&](bool is_whole) {
    // Of these XB-12 and Oslo are neither declared nor function words.
    const SlotSource source{
        .weights = &none, .request = "Move the heap XB-12 to Oslo", .is_whole = is_whole};
    return CallSlots::make(source, kMove, kParameters, Json::object()).value();
  };
  const Json both = {{"ref", "XB-12"}, {"to", "Oslo"}};
  const Json all = {{"ref", "heap XB-12 to Oslo"}};
  const Json one = {{"ref", "XB-12"}};
  const Json other = {{"ref", "Move the"}};
  // All spans of a slot are as probable.
  for (const Json& call : {both, all, one}) {
    CHECK(made(false).score(call) == Approx(made(false).score(other)));
  }
  const CallSlots slots = made(true);
  CHECK(slots.score(both) == Approx(slots.score(all)));
  CHECK(slots.score(both) > slots.score(one));
  CHECK(slots.score(both) - slots.score(one) == Approx(slots.score(one) - slots.score(other)));
  const auto best = slots.best(Json::object(), 20);
  REQUIRE(!best.empty());
  for (const Json& call : best) CHECK(slots.score(call) <= slots.score(best.front()) + 1e-9);
}

TEST_CASE("a request fits a tool as its most probable call does", "[agent]") {
  const Json parameters = Json::parse(kMove.parameters);
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const engine::SlotWeights weights = random_weights(seed);
    const SlotSource source{.weights = &weights, .request = "Move XB-12 to Oslo 20"};
    const auto slots = CallSlots::make(source, kMove, parameters, Json::object());
    REQUIRE(slots);
    Json best = slots->best(Json::object(), 1).front();
    if (best["ref"].is_null()) best.erase("ref");
    const SlotFit fit = slot_fit(SlotRequest(source.request), weights, kMove);
    CHECK(fit.filled == static_cast<int>(best.size()));
    CHECK(fit.open == 4 - fit.filled);
    const std::string held = best.dump();
    const auto has = [&](const char* text) { return held.find(text) != std::string::npos; };
    CHECK(fit.leaves_number == !(has("XB-12") && has("20")));
    CHECK(fit.leaves_name == !has("Oslo"));
    CHECK(fit.left == (has("XB-12") ? 0 : 1) + (has("Oslo") ? 0 : 1) + (has("20") ? 0 : 1));
  }
}

TEST_CASE("of many slots the first ones may be filled", "[agent]") {
  Json many = {{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 2000; ++i) many["properties"]["p" + std::to_string(i)] = {{"type", "string"}};
  const SlotFit fit = slot_fit(SlotRequest("Move XB-12 to Oslo"),
                               random_weights(1),
                               {.name = "t", .parameters = many.dump()});
  CHECK(fit.filled <= static_cast<int>(kFitSlotsMax));
  CHECK(fit.filled + fit.open == 2000);
}

TEST_CASE("what a request leaves over are numbers and names", "[agent]") {
  const engine::SlotWeights weights = random_weights(1);
  const auto fit = [&](const char* request, const std::string& parameters) {
    return slot_fit(SlotRequest(request), weights, {.name = "t", .parameters = parameters});
  };
  const std::string none = R"({"type":"object","properties":{}})";
  CHECK(fit("move it", none) == SlotFit{.left = 1});
  CHECK(fit("Move it to Oslo", none) == SlotFit{.leaves_name = true, .left = 2});
  CHECK_FALSE(fit("Hi! Move it. Now: Go", none).leaves_name);  // First words of sentences.
  CHECK(fit("move The A it", none) == SlotFit{.left = 1});     // Function words and letters.
  CHECK(fit("move XB-12 on 3", none) == SlotFit{.leaves_number = true, .left = 3});
  // What the tool declares is not left over.
  const std::string moves = R"({"properties":{"it":{"enum":[1],"description":"What to move"}}})";
  CHECK(fit("move it", moves) == SlotFit{.open = 1});
  // A list that is no slot may hold them; a choice does not.
  const std::string list = R"({"properties":{"all":{"type":"array","items":{"enum":[3,4,5]}}}})";
  const std::string choice = R"({"properties":{"all":{"type":"string","enum":[7]}}})";
  CHECK(fit("add 3, 4 and 5", list) == SlotFit{.open = 1, .left = 4});
  CHECK(fit("add 3, 4 and 5", choice) == SlotFit{.open = 1, .leaves_number = true, .left = 4});
  for (const char* broken : {"{", "[]", "7"}) CHECK(fit("move 3 to Oslo", broken) == SlotFit{});
  CHECK(fit("", none) == SlotFit{});
  std::string long_request = "7";
  for (std::size_t i = 0; i < kSlotRequestWordsMax; ++i) long_request += " a";
  CHECK(fit(long_request.c_str(), none) == SlotFit{});
}

TEST_CASE("a number that JSON cannot hold fills no slot", "[agent]") {
  const engine::SlotWeights weights = random_weights(1);
  const std::string request = "Move " + std::string(500, '9') + " 007 1,200";
  CHECK(SlotRequest(request).slot(kMove, kParameters, {"kilos", ""}).spans.size() == 3);
  for (const Json& call : {Json::object(), Json({{"kilos", 1200}}), Json({{"kilos", 5}})}) {
    const auto slots =
        CallSlots::make({.weights = &weights, .request = request}, kMove, kParameters, call);
    if (!slots) continue;
    for (const Json& one : slots->best(call, 20)) {
      CHECK((!one.contains("kilos") || one["kilos"] == 7 || one["kilos"] == 1200));
    }
  }
}

TEST_CASE("nothing is said of slots that the words do not tell of", "[agent]") {
  const engine::SlotWeights weights = random_weights(1);
  const auto made = [&](const engine::SlotWeights* with, const char* request, const Json& call) {
    return CallSlots::make({.weights = with, .request = request}, kMove, kParameters, call)
        .has_value();
  };
  const Json call = {{"ref", "XB-12"}};
  CHECK(made(&weights, "Move XB-12", call));
  CHECK_FALSE(made(nullptr, "Move XB-12", call));
  CHECK_FALSE(made(&weights, "", call));
  CHECK_FALSE(made(&weights, "Move it", call));  // XB-12 was said before.
  CHECK_FALSE(made(&weights, "Move XB-12", {{"ref", "XB-12"}, {"kilos", 7}}));
  // A text that is too long for a span stays; of the others something is said.
  CHECK(made(&weights, "a b c d e f g h i XB-12", {{"ref", "a b c d e f g h i"}, {"to", "XB-12"}}));
}
