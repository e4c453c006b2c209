#include "tests/support/amx_traps.h"

#if defined(__x86_64__) && defined(__linux__)

#include "engine/ops.h"

#include <array>
#include <atomic>
#include <cmath>
#include <cpuid.h>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <ucontext.h>
#include <unistd.h>

namespace facet::test {
namespace {

constexpr std::size_t kTiles = 8;

/// A memory operand of LDTILECFG, in the manual's layout (palette 1).
struct Config {
  std::uint8_t palette;
  std::uint8_t start_row;
  std::uint8_t reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};
static_assert(sizeof(Config) == 64);

struct Tile {
  std::byte at[16][64];
  int rows;
  int row_bytes;
};

/// Trivial, so that nothing is allocated or constructed within the handler.
thread_local std::array<Tile, kTiles> tiles;
thread_local bool is_configured;
struct sigaction before;
std::atomic<std::int64_t> instructions;  // Lock-free, so the handler may use it.

[[noreturn]] void refuse(std::string_view reason) {
  const auto say = [](std::string_view text) {
    return ::write(STDERR_FILENO, text.data(), text.size()) >= 0;
  };
  static_cast<void>(say("AMX: the processor would refuse this: ") && say(reason) && say("\n"));
  std::abort();
}

Tile& configured(std::size_t tile) {
  if (!is_configured) refuse("a tile is used without LDTILECFG");
  if (tile >= kTiles) refuse("there are 8 tiles");
  if (tiles[tile].rows == 0) refuse("the tile has no rows");
  return tiles[tile];
}

void configure(const std::byte* from) {
  Config config;
  std::memcpy(&config, from, sizeof config);
  for (Tile& tile : tiles) tile = Tile{};
  is_configured = config.palette != 0;
  if (config.palette > 1) refuse("palette above 1");
  if (config.start_row != 0) refuse("start_row is not restored here");
  for (const std::uint8_t byte : config.reserved) {
    if (byte != 0) refuse("reserved bytes are set");
  }
  for (std::size_t i = 0; i < 16; ++i) {
    const int rows = config.rows[i];
    const int row_bytes = config.row_bytes[i];
    if (i >= kTiles && (rows != 0 || row_bytes != 0)) refuse("a tile above 7 is configured");
    if (i >= kTiles) continue;
    if (rows > 16 || row_bytes > 64) refuse("a tile is too large");
    if ((rows == 0) != (row_bytes == 0)) refuse("a tile with rows or columns alone");
    tiles[i].rows = rows;
    tiles[i].row_bytes = row_bytes;
  }
}

void clear(Tile& tile) {
  std::memset(tile.at, 0, sizeof tile.at);
}

void load(Tile& tile, const std::byte* from, std::int64_t stride) {
  clear(tile);
  for (int r = 0; r < tile.rows; ++r) {
    std::memcpy(tile.at[r], from + r * stride, static_cast<std::size_t>(tile.row_bytes));
  }
}

void store(const Tile& tile, std::byte* to, std::int64_t stride) {
  for (int r = 0; r < tile.rows; ++r) {
    std::memcpy(to + r * stride, tile.at[r], static_cast<std::size_t>(tile.row_bytes));
  }
}

template <class V>
V get(const std::byte* row, int index) {
  V value{};
  std::memcpy(&value, row + static_cast<std::size_t>(index) * sizeof value, sizeof value);
  return value;
}

void check_product(const Tile& c, const Tile& a, const Tile& b) {
  if (&c == &a || &c == &b || &a == &b) refuse("a product with a tile used twice");
  if (c.row_bytes % 4 != 0 || a.row_bytes % 4 != 0 || b.row_bytes % 4 != 0) {
    refuse("a product of rows that are not whole doublewords");
  }
  if (c.rows != a.rows || c.row_bytes != b.row_bytes || a.row_bytes / 4 != b.rows) {
    refuse("a product of tiles whose shapes do not fit");
  }
}

void dot_int8(Tile& c, const Tile& a, const Tile& b) {
  check_product(c, a, b);
  for (int m = 0; m < c.rows; ++m) {
    for (int k = 0; k < a.row_bytes / 4; ++k) {
      for (int n = 0; n < c.row_bytes / 4; ++n) {
        // Modulo 2^32, as the processor adds.
        auto sum = get<std::uint32_t>(c.at[m], n);
        for (int i = 0; i < 4; ++i) {
          sum += static_cast<std::uint32_t>(get<std::int8_t>(a.at[m], 4 * k + i) *
                                            get<std::int8_t>(b.at[k], 4 * n + i));
        }
        std::memcpy(c.at[m] + 4 * n, &sum, sizeof sum);
      }
    }
  }
}

/// Denormal factors and sums count as zero.
float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0F, value) : value;
}

void dot_bf16(Tile& c, const Tile& a, const Tile& b) {
  check_product(c, a, b);
  for (int m = 0; m < c.rows; ++m) {
    for (int n = 0; n < c.row_bytes / 4; ++n) {
      // Even and odd products have sums of their own, added at the end.
      std::array<float, 2> sums = {};
      for (int k = 0; k < a.row_bytes / 4; ++k) {
        for (int i = 0; i < 2; ++i) {
          const float x = engine::bf16_to_float(get<std::uint16_t>(a.at[m], 2 * k + i));
          const float w = engine::bf16_to_float(get<std::uint16_t>(b.at[k], 2 * n + i));
          float& sum = sums[static_cast<std::size_t>(i)];
          sum = flushed(std::fma(flushed(x), flushed(w), sum));
        }
      }
      const float sum = flushed(flushed(get<float>(c.at[m], n)) + flushed(sums[0] + sums[1]));
      std::memcpy(c.at[m] + 4 * n, &sum, sizeof sum);
    }
  }
}

/// An instruction with a three-byte VEX prefix, decoded as far as those of AMX need it.
class Instruction {
 public:
  Instruction(const std::uint8_t* at, const greg_t* registers) : at_(at), registers_(registers) {}

  /// Map 0F38, W0, 128 bits: where all of AMX is.
  [[nodiscard]] bool is_of_the_map() const {
    return at_[0] == 0xC4 && (at_[1] & 0x1F) == 2 && (at_[2] & 0x84) == 0;
  }
  /// 0: none, 1: 66, 2: F3, 3: F2.
  [[nodiscard]] int prefix() const { return at_[2] & 3; }
  [[nodiscard]] int opcode() const { return at_[3]; }
  [[nodiscard]] bool has_memory() const { return at_[4] >> 6 != 3; }
  /// Registers as the instruction names them.
  [[nodiscard]] std::size_t reg() const { return (unsigned{at_[4]} >> 3U & 7U) | extension(0x80); }
  [[nodiscard]] std::size_t rm() const { return (at_[4] & 7U) | extension(0x20); }
  [[nodiscard]] std::size_t vvvv() const { return (~unsigned{at_[2]} >> 3U) & 15U; }
  [[nodiscard]] bool has_sib() const { return has_memory() && (at_[4] & 7) == 4; }

  /// Base and displacement; with the index too where it is no stride.
  [[nodiscard]] std::int64_t address(bool index_is_stride) const {
    const int mod = at_[4] >> 6;
    const std::uint8_t* displacement = at_ + 5 + (has_sib() ? 1 : 0);
    const int base = has_sib() ? at_[5] & 7 : at_[4] & 7;
    std::int64_t out = 0;
    if (mod == 0 && base == 5) {
      out = wide(displacement);
      if (!has_sib()) out += reinterpret_cast<std::int64_t>(at_) + length();  // Beside RIP.
    } else {
      out = general(static_cast<std::size_t>(base) | extension(0x20));
      if (mod == 1) out += static_cast<std::int8_t>(*displacement);
      if (mod == 2) out += wide(displacement);
    }
    return index_is_stride || !has_sib() ? out : out + stride();
  }
  [[nodiscard]] std::int64_t stride() const {
    const std::size_t index = (at_[5] >> 3 & 7U) | extension(0x40);
    return index == 4 ? 0 : general(index) * (std::int64_t{1} << (at_[5] >> 6));
  }
  [[nodiscard]] int length() const {
    const int mod = at_[4] >> 6;
    const int sib = has_sib() ? 1 : 0;
    const int base = has_sib() ? at_[5] & 7 : at_[4] & 7;
    const int displacement = mod == 1 ? 1 : mod == 2 || (mod == 0 && base == 5) ? 4 : 0;
    return 5 + sib + displacement;
  }

 private:
  /// The fourth bit of a register's number: the prefix holds it inverted.
  [[nodiscard]] std::size_t extension(int bit) const { return (at_[1] & bit) != 0 ? 0U : 8U; }
  [[nodiscard]] std::int64_t general(std::size_t number) const {
    constexpr std::array<int, 16> kOrder = {REG_RAX,
                                            REG_RCX,
                                            REG_RDX,
                                            REG_RBX,
                                            REG_RSP,
                                            REG_RBP,
                                            REG_RSI,
                                            REG_RDI,
                                            REG_R8,
                                            REG_R9,
                                            REG_R10,
                                            REG_R11,
                                            REG_R12,
                                            REG_R13,
                                            REG_R14,
                                            REG_R15};
    return registers_[kOrder[number]];
  }
  static std::int64_t wide(const std::uint8_t* from) {
    std::int32_t value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  const std::uint8_t* at_;
  const greg_t* registers_;
};

std::byte* memory(std::int64_t address) {
  return reinterpret_cast<std::byte*>(address);
}

/// Whether it was one of AMX.
bool execute(const Instruction& i) {
  if (!i.is_of_the_map()) return false;
  constexpr int kNone = 0;
  constexpr int kF3 = 2;
  constexpr int kF2 = 3;
  switch (i.opcode()) {
    case 0x49:
      if (i.has_memory() && i.prefix() == kNone) {
        configure(memory(i.address(false)));
      } else if (!i.has_memory() && i.prefix() == kNone) {
        is_configured = false;
        for (Tile& tile : tiles) tile = Tile{};
      } else if (!i.has_memory() && i.prefix() == kF2) {
        clear(configured(i.reg()));
      } else {
        refuse("an instruction of AMX that is not known here");
      }
      return true;
    case 0x4B:
      if (!i.has_sib()) refuse("a tile's memory operand without SIB");
      if (i.prefix() == kF2) {
        load(configured(i.reg()), memory(i.address(true)), i.stride());
      } else if (i.prefix() == kF3) {
        store(configured(i.reg()), memory(i.address(true)), i.stride());
      } else {
        refuse("an instruction of AMX that is not known here");
      }
      return true;
    case 0x5C:
      if (i.prefix() != kF3) refuse("an instruction of AMX that is not known here");
      dot_bf16(configured(i.reg()), configured(i.rm()), configured(i.vvvv()));
      return true;
    case 0x5E:
      if (i.prefix() != kF2) refuse("an instruction of AMX that is not known here");
      dot_int8(configured(i.reg()), configured(i.rm()), configured(i.vvvv()));
      return true;
    default:
      return false;
  }
}

void on_illegal(int /*signal*/, siginfo_t* /*info*/, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const Instruction instruction(reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]),
                                registers);
  if (execute(instruction)) {
    registers[REG_RIP] += instruction.length();
    instructions.fetch_add(1, std::memory_order_relaxed);
  } else {
    ::sigaction(SIGILL, &before, nullptr);  // It comes again, to whoever was there before.
  }
}

}  // namespace

bool can_trap_amx() {
  constexpr unsigned kTile = 1U << 24U;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTile) == 0;
}

AmxTraps::AmxTraps() {
  instructions = 0;
  struct sigaction action = {};
  action.sa_sigaction = on_illegal;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGILL, &action, &before) != 0) refuse("SIGILL cannot be caught");
}

AmxTraps::~AmxTraps() {
  ::sigaction(SIGILL, &before, nullptr);
}

std::int64_t AmxTraps::executed() const {
  return instructions;
}

}  // namespace facet::test

#else

namespace facet::test {

bool can_trap_amx() {
  return false;
}
AmxTraps::AmxTraps() = default;
AmxTraps::~AmxTraps() = default;
std::int64_t AmxTraps::executed() const {
  return 0;
}

}  // namespace facet::test

#endif
