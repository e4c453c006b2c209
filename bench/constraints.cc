// bench_constraints TOKENIZER.model [runs]
// bench_constraints TOKENIZER.model --schema SCHEMA.json WALKS [runs]
//
// What holding calls to their schemas costs on a real vocabulary: the time to compile the grammar
// of 10 and of 200 tools (cold: nothing known but the trie of the vocabulary), and the time of one
// mask over all tokens along random calls. Prints the machine and percentiles of processor time.
//
// With --schema the same for the values of one JSON Schema, as one line of JSON; the tokens of the
// walks go to a file, a line each, so that bench/compare_grammar.py can lead another grammar along
// the same texts.
#include "base/grammar/schema_grammar.h"
#include "engine/sampling/constraint.h"
#include "engine/tokenizer/tokenizer.h"
#include "prompts/dialect.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using facet::engine::TokenId;
/// Processor time of this thread, microseconds: what other programs take does not count.
double now_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

double us_since(double start) {
  return now_us() - start;
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  return values[at];
}

/// Tools with the kinds of parameters that real ones have; `seed` makes each set a new one.
std::vector<facet::ToolSpec> make_tools(int count, int seed) {
  std::vector<facet::ToolSpec> tools;
  for (int i = 0; i < count; ++i) {
    const std::string name = "tool_" + std::to_string(seed) + "_" + std::to_string(i);
    tools.push_back(
        {.name = name,
         .description = "Does something.",
         .parameters =
             R"({"type":"object","properties":{"query_)" + std::to_string(i) +
             R"(":{"type":"string"},"limit":{"type":"integer","minimum":1,"maximum":)" +
             std::to_string(50 + i) +
             R"(},"unit":{"enum":["celsius","fahrenheit","kelvin"]},"when":{"type":"string",)"
             R"("format":"date-time"},"title":{"type":"string","maxLength":80},"price":)"
             R"({"type":"number","minimum":0},"tags":{"type":"array","items":{"type":"string"},)"
             R"("maxItems":5},"where":{"type":"object","properties":{"street":{"type":"string"},)"
             R"("zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["street"]}},)"
             R"("required":["query_)" +
             std::to_string(i) + R"(","unit"]})"});
  }
  return tools;
}

facet::engine::ConstraintOptions turn_options(const facet::prompts::TurnGrammar& turn) {
  return {.trigger = turn.trigger, .free_control = {"<eos>"}, .free_after = turn.free_after};
}

struct Figures {
  std::vector<double> compile_us;
  std::vector<double> mask_us;
  std::size_t forced = 0;
  std::size_t tokens = 0;
  std::vector<std::vector<TokenId>> walks;
};

/// One random call, a mask at each step that is not forced.
void walk(facet::engine::Constraint& constraint, std::mt19937& random, Figures& out) {
  std::vector<TokenId>& taken = out.walks.emplace_back();
  for (std::int64_t left = 200; left > 0; --left) {
    const auto forced = constraint.forced_tokens();
    for (const TokenId token : forced) {
      if (!constraint.accept(token)) return;
      taken.push_back(token);
    }
    out.forced += forced.size();
    out.tokens += forced.size();
    if (!constraint.is_open()) return;
    const double start = now_us();
    const auto mask = constraint.mask();
    out.mask_us.push_back(us_since(start));
    std::vector<TokenId> allowed;
    for (std::size_t word = 0; word < mask.size(); ++word) {
      for (std::size_t bit = 0; bit < 64; ++bit) {
        if ((mask[word] >> bit & 1U) == 0) continue;
        allowed.push_back(static_cast<TokenId>(word * 64 + bit));
      }
    }
    // A string ends now and then, as a model's do.
    TokenId token = allowed[random() % allowed.size()];
    for (int tries = 0; tries < 1000 && !constraint.fits(token, left - 2); ++tries) {
      token = allowed[random() % allowed.size()];
    }
    if (random() % 4 == 0) {
      const auto closes = std::min_element(
          allowed.begin(), allowed.begin() + std::min<std::ptrdiff_t>(64, std::ssize(allowed)));
      token = *closes;
    }
    if (!constraint.accept(token)) return;
    taken.push_back(token);
    ++out.tokens;
  }
}

bool measure(const facet::engine::Tokenizer& tokenizer,
             const char* dialect_name,
             int tools,
             int runs) {
  const auto dialect = facet::prompts::find_dialect(dialect_name);
  Figures figures;
  std::mt19937 random(1);
  // One factory, so that the trie of the vocabulary is there; each set of tools is a new one.
  const facet::engine::ConstraintFactory factory(tokenizer, 1);
  facet::Grammar warm;
  warm.set_root(warm.literal("a"));
  (void)(*factory.make(warm, {}))->mask();
  for (int run = 0; run < runs; ++run) {
    const auto set = make_tools(tools, run);
    const double start = now_us();
    const auto turn = (*dialect)->turn_grammar(
        set, {.choice = {.mode = facet::prompts::ToolChoice::Mode::required}});
    if (!turn) {
      std::fprintf(stderr, "%s\n", turn.error().message.c_str());
      return false;
    }
    auto constraint = factory.make(turn->grammar, turn_options(*turn));
    figures.compile_us.push_back(us_since(start));
    if (!constraint) {
      std::fprintf(stderr, "%s\n", constraint.error().message.c_str());
      return false;
    }
    for (int i = 0; i < 3; ++i) walk(*(*constraint)->clone(), random, figures);
  }
  std::printf(
      "%-18s %4d tools  compile p50 %7.2f ms p95 %7.2f ms  mask p50 %7.1f us p99 %7.1f us (%zu)  "
      "forced %.0f %% of tokens\n",
      dialect_name,
      tools,
      percentile(figures.compile_us, 0.5) / 1000.0,
      percentile(figures.compile_us, 0.95) / 1000.0,
      percentile(figures.mask_us, 0.5),
      percentile(figures.mask_us, 0.99),
      figures.mask_us.size(),
      100.0 * static_cast<double>(figures.forced) /
          static_cast<double>(std::max<std::size_t>(figures.tokens, 1)));
  return true;
}

bool measure_schema(const facet::engine::Tokenizer& tokenizer,
                    const char* schema_path,
                    const char* walks_path,
                    int runs) {
  std::ifstream file(schema_path);
  const std::string schema{std::istreambuf_iterator<char>(file), {}};
  const facet::engine::ConstraintFactory factory(tokenizer, 1);
  facet::Grammar other;
  other.set_root(other.literal("a"));
  Figures figures;
  std::mt19937 random(1);
  for (int run = 0; run < runs; ++run) {
    // The factory keeps one grammar: this one drives the schema's out, and builds the trie.
    (void)(*factory.make(other, {}))->mask();
    const double start = now_us();
    const auto made = facet::grammar::grammar_of_schema(schema);
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      return false;
    }
    const auto constraint = factory.make(made->grammar, {.free_after = false});
    figures.compile_us.push_back(us_since(start));
    if (!constraint) {
      std::fprintf(stderr, "%s\n", constraint.error().message.c_str());
      return false;
    }
    for (int i = 0; i < 3; ++i) walk(*(*constraint)->clone(), random, figures);
  }
  std::ofstream walks(walks_path);
  for (const auto& ids : figures.walks) {
    for (const TokenId id : ids) walks << id << ' ';
    walks << '\n';
  }
  std::printf(
      "{\"compile_ms\":{\"p50\":%.3f,\"p95\":%.3f},\"mask_us\":{\"p50\":%.1f,\"p99\":%.1f},"
      "\"masks\":%zu,\"forced_percent\":%.1f}\n",
      percentile(figures.compile_us, 0.5) / 1000.0,
      percentile(figures.compile_us, 0.95) / 1000.0,
      percentile(figures.mask_us, 0.5),
      percentile(figures.mask_us, 0.99),
      figures.mask_us.size(),
      100.0 * static_cast<double>(figures.forced) /
          static_cast<double>(std::max<std::size_t>(figures.tokens, 1)));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const bool of_schema = argc > 2 && std::string_view(argv[2]) == "--schema";
  if (argc < 2 || (of_schema && argc < 5)) {
    std::fprintf(stderr,
                 "usage: bench_constraints TOKENIZER.model [runs]\n"
                 "       bench_constraints TOKENIZER.model --schema SCHEMA.json WALKS [runs]\n");
    return 2;
  }
  const auto tokenizer = facet::engine::Tokenizer::load_sentencepiece(argv[1]);
  if (!tokenizer) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str());
    return 1;
  }
  if (of_schema) {
    const int runs = argc > 5 ? std::atoi(argv[5]) : 20;
    return measure_schema(**tokenizer, argv[3], argv[4], runs) ? 0 : 1;
  }
  std::ifstream cpu("/proc/cpuinfo");
  for (std::string line; std::getline(cpu, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    std::printf("%s, %zu pieces\n", line.c_str(), (*tokenizer)->size());
    break;
  }
  const int runs = argc > 2 ? std::atoi(argv[2]) : 20;
  bool fine = true;
  for (const char* dialect : {"gemma3-json", "gemma3-python", "gemma3-tool-code"}) {
    for (const int tools : {10, 200}) {
      fine = measure(**tokenizer, dialect, tools, runs) && fine;
    }
  }
  return fine ? 0 : 1;
}
