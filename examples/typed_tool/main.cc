// A tool from a C++ callable: its schema comes from the struct, its arguments are checked before it
// runs, and what goes wrong comes back as data. No model is needed to see that.
#include "base/chat.h"
#include "tools/executor.h"
#include "tools/tool.h"
#include "tools/typed.h"

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace example {

enum class Cabin { economy, business };
FACET_ENUM(Cabin, {Cabin::economy, "economy"}, {Cabin::business, "business"})

struct TravelArgs {
  std::string city;
  int nights = 1;
  std::optional<Cabin> cabin;
};
FACET_FIELDS(TravelArgs,
             FACET_FIELD(city, "Where to."),
             FACET_FIELD(nights, "How many nights.", {.minimum = 1, .maximum = 30}),
             FACET_FIELD(cabin, "Class of travel."))

}  // namespace example

int main() {
  facet::tools::Registry registry;
  const auto added = registry.add(facet::tools::make_tool<example::TravelArgs>(
      "price_of_trip", "Prices a trip in EUR.", [](const example::TravelArgs& args) {
        const int flight = args.cabin == example::Cabin::business ? 900 : 250;
        return flight + args.nights * 140;
      }));
  if (!added) {
    std::fprintf(stderr, "%s\n", added.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", registry.specs().front().parameters.c_str());

  const facet::tools::Executor executor;
  const std::vector<facet::ToolCall> calls{
      {.id = "1", .name = "price_of_trip", .arguments = R"({"city":"Lisbon","nights":4})"},
      {.id = "2", .name = "price_of_trip", .arguments = R"({"city":"Lisbon","nights":99})"},
      {.id = "3", .name = "book_trip", .arguments = "{}"},
  };
  for (const auto& outcome : executor.run(registry, calls)) {
    std::printf("%s\n", outcome.output.content.c_str());
  }
  return 0;
}
