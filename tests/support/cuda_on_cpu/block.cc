#include "tests/support/cuda_on_cpu/block.h"

#include "tests/support/cuda_on_cpu/fiber.h"
#include "tests/support/cuda_on_cpu/mbarrier.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <link.h>
#include <memory>
#include <random>
#include <vector>

cuda_on_cpu::Index threadIdx;
cuda_on_cpu::Index blockIdx;
cuda_on_cpu::Index blockDim;
cuda_on_cpu::Index gridDim;

namespace cuda_on_cpu {

namespace {

struct Copy {
  void* to = nullptr;
  const void* from = nullptr;
  std::size_t bytes = 0;
  bool valid = false;
};

}  // namespace

struct Thread {
  Context context;
  Index index;
  unsigned number = 0;
  bool has_ended = false;
  bool has_waited = false;  // For the kernel before.
  const char* waits_for = "";
  Where where;
  Votes votes;  // Of the barrier it last left.
  Lanes lanes;  // Of the exchange it last left.
  std::vector<Copy> open_copies;
  std::deque<std::vector<Copy>> copy_groups;
  std::vector<std::function<void()>> open_products;
  std::deque<std::vector<std::function<void()>>> product_groups;
};

namespace {

constexpr std::size_t kStackBytes = 128U << 10U;
constexpr std::size_t kCanaryBytes = 256;
constexpr int kBarriers = 16;
constexpr std::byte kPoison{0xFF};

struct Barrier {
  std::vector<Thread*> waiting;
  Votes votes;
};

struct Warp {
  alignas(16) std::array<std::byte, 2 * kLanes * kExchangeBytes> slots;
  unsigned halves = 0;   // Bit l: which half lane l writes next.
  unsigned arrived = 0;  // Lanes that wait in an exchange.
  unsigned live = 0;     // Lanes that have not ended.
  std::array<unsigned, kLanes> mask{};
};

/// The block that runs. There is one at a time: the runtime sees to that.
struct Block {
  Stacks stacks{kThreadsMax, kStackBytes};
  std::vector<Thread> threads{kThreadsMax};
  std::vector<Warp> warps{kThreadsMax / kLanes};
  std::array<Barrier, kBarriers> barriers;
  std::deque<Thread*> ready;
  std::vector<std::byte> shared;
  std::size_t shared_bytes = 0;
  std::byte* shared_begin = nullptr;
  Context scheduler;
  Thread* current = nullptr;
  unsigned count = 0;
  unsigned ended = 0;
  bool overlaps = false;
  const std::function<void()>* body = nullptr;
  std::string failure;
  std::uint64_t seed = 0;
  std::mt19937_64 random;
};

/// Made by the first grid; a plain pointer, because every exchange asks for it.
Block* the_block = nullptr;

Block& made_block() {
  static Block made;
  the_block = &made;
  return made;
}

/// REQUIRES: a grid runs.
Block& block() {
  return *the_block;
}

std::string place(const Where& where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

/// Goes on in the next thread that is ready; in the scheduler when there is none.
void switch_away(Block& b) {
  Thread* from = b.current;
  if (b.ready.empty()) {
    switch_context(from->context, b.scheduler);
    return;
  }
  Thread* to = b.ready.front();
  b.ready.pop_front();
  b.current = to;
  threadIdx = to->index;
  if (to != from) switch_context(from->context, to->context);
}

/// Waits until somebody makes the current thread ready.
void suspend(Block& b, const char* waits_for, const Where& where) {
  b.current->waits_for = waits_for;
  b.current->where = where;
  switch_away(b);
}

void make_ready(Block& b, std::vector<Thread*>& threads) {
  if (b.seed != 0) std::shuffle(threads.begin(), threads.end(), b.random);
  b.ready.insert(b.ready.end(), threads.begin(), threads.end());
  threads.clear();
}

void thread_entry() {
  (*block().body)();
  Block& b = block();
  Thread& self = *b.current;
  if (b.overlaps && !self.has_waited) {
    fail("thread " + std::to_string(self.number) + " has not waited for the kernel before");
  }
  if (!self.open_products.empty() || !self.product_groups.empty()) {
    fail("thread " + std::to_string(self.number) + " ended with products under way");
  }
  self.has_ended = true;
  ++b.ended;
  Warp& warp = b.warps[self.number / kLanes];
  warp.live &= ~(1U << self.number % kLanes);
  for (unsigned l = 0; l < kLanes && warp.arrived != 0; ++l) {
    if ((warp.arrived >> l & 1U) != 0 && (warp.mask[l] >> self.number % kLanes & 1U) != 0) {
      const Thread& other = b.threads[self.number / kLanes * kLanes + l];
      fail("thread " + std::to_string(self.number) + " ended while lane " + std::to_string(l) +
           " of its warp waits for it at " + place(other.where));
    }
  }
  switch_away(b);
  fail("a thread went on after its end");
}

/// Fills the thread-local variables of the main program with poison: they are the static shared
/// memory of all kernels.
int poison_static_shared(dl_phdr_info* info, std::size_t /*size*/, void* /*data*/) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return 1;  // clang links its runtime, with variables of its own, into the main program.
#endif
#endif
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data != nullptr) {
      std::memset(info->dlpi_tls_data, static_cast<int>(kPoison), info->dlpi_phdr[i].p_memsz);
    }
  }
  return 1;  // The first one is the main program.
}

void prepare(Block& b, const Grid& grid, Index index) {
  dl_iterate_phdr(poison_static_shared, nullptr);
  std::fill(b.shared.begin(), b.shared.end(), kPoison);
  blockIdx = index;
  b.ended = 0;
  b.ready.clear();
  for (Barrier& barrier : b.barriers) barrier = {};
  forget_mbarriers();
  for (unsigned w = 0; w <= (b.count - 1) / kLanes; ++w) {
    b.warps[w].halves = 0;
    b.warps[w].arrived = 0;
    b.warps[w].live = b.count - w * kLanes < kLanes ? (1U << b.count % kLanes) - 1 : ~0U;
  }
  std::vector<Thread*> order;
  for (unsigned n = 0; n < b.count; ++n) {
    Thread& thread = b.threads[n];
    thread.number = n;
    thread.index = {n % grid.threads.x,
                    n / grid.threads.x % grid.threads.y,
                    n / grid.threads.x / grid.threads.y};
    thread.has_ended = false;
    thread.has_waited = false;
    thread.waits_for = "";
    thread.open_copies.clear();
    thread.copy_groups.clear();
    thread.open_products.clear();
    thread.product_groups.clear();
    make_context(thread.context, b.stacks.stack(n), b.stacks.bytes_each(), thread_entry);
    order.push_back(&thread);
  }
  make_ready(b, order);
}

/// Who waits where, in words.
std::string deadlock(const Block& b) {
  std::string out = std::to_string(b.ended) + " of " + std::to_string(b.count) + " threads ended";
  int named = 0;
  for (unsigned n = 0; n < b.count && named < 4; ++n) {
    const Thread& thread = b.threads[n];
    if (thread.has_ended) continue;
    ++named;
    out += ", thread " + std::to_string(n) + " waits at a " + thread.waits_for + " at " +
           place(thread.where);
  }
  return "deadlock: " + out;
}

void run_block(Block& b, const Grid& grid, Index index) {
  prepare(b, grid, index);
  while (!b.ready.empty() && b.failure.empty()) {
    Thread* to = b.ready.front();
    b.ready.pop_front();
    b.current = to;
    threadIdx = to->index;
    switch_context(b.scheduler, to->context);
  }
  if (b.failure.empty() && b.ended < b.count) b.failure = deadlock(b);
  for (std::size_t i = b.shared_bytes; i < b.shared_bytes + kCanaryBytes; ++i) {
    if (b.failure.empty() && b.shared_begin[i] != kPoison) {
      b.failure = "a write " + std::to_string(i - b.shared_bytes) +
                  " bytes behind the dynamic shared memory of " + std::to_string(b.shared_bytes);
    }
  }
  if (b.failure.empty()) return;
  b.stacks.forget_frames();
  b.failure += " (block " + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " +
               std::to_string(index.z) + ")";
}

}  // namespace

void set_order(std::uint64_t seed) {
  made_block().seed = seed;
  made_block().random.seed(seed);
}

std::string run_grid(const Grid& grid, const std::function<void()>& body) {
  Block& b = made_block();
  b.body = &body;
  b.failure.clear();
  b.count = grid.threads.x * grid.threads.y * grid.threads.z;
  b.overlaps = grid.overlaps;
  b.shared_bytes = grid.shared_bytes;
  b.shared.assign(grid.shared_bytes + kCanaryBytes + 128, kPoison);
  const auto address = reinterpret_cast<std::uintptr_t>(b.shared.data());
  b.shared_begin = b.shared.data() + (128 - address % 128) % 128;
  blockDim = grid.threads;
  gridDim = grid.blocks;
  const std::size_t blocks = std::size_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
  std::vector<std::size_t> order(blocks);
  for (std::size_t i = 0; i < blocks; ++i) order[i] = i;
  if (b.seed != 0) std::shuffle(order.begin(), order.end(), b.random);
  for (const std::size_t i : order) {
    const std::size_t plane = std::size_t{grid.blocks.x} * grid.blocks.y;
    run_block(b,
              grid,
              {static_cast<unsigned>(i % grid.blocks.x),
               static_cast<unsigned>(i % plane / grid.blocks.x),
               static_cast<unsigned>(i / plane)});
    if (!b.failure.empty()) break;
  }
  return b.failure;
}

void fail(const std::string& message) {
  Block& b = block();
  b.failure = message;
  switch_context(b.current->context, b.scheduler);
  __builtin_unreachable();
}

void dependency_wait() {
  block().current->has_waited = true;
}

void dependency_launch(const Where& where) {
  const Block& b = block();
  if (!b.overlaps || b.current->has_waited) return;
  fail("the next kernel may start before this one has waited, at " + place(where));
}

static Votes wait_at(int number, unsigned threads, bool value, const Where& where) {
  Block& b = block();
  Barrier& at = b.barriers[static_cast<std::size_t>(number)];
  Thread& self = *b.current;
  if (!at.waiting.empty() && at.waiting.front()->where.line() != where.line()) {
    fail("threads " + std::to_string(at.waiting.front()->number) + " and " +
         std::to_string(self.number) + " meet at one barrier from " +
         place(at.waiting.front()->where) + " and " + place(where));
  }
  at.votes.sum += value ? 1 : 0;
  at.votes.all = at.votes.all && value;
  at.votes.any = at.votes.any || value;
  at.waiting.push_back(&self);
  if (at.waiting.size() == threads) {
    for (Thread* thread : at.waiting) thread->votes = at.votes;
    at.votes = {};
    make_ready(b, at.waiting);
  }
  suspend(b, "barrier", where);
  return self.votes;
}

Votes barrier(bool value, const Where& where) {
  return wait_at(0, block().count, value, where);
}

void named_barrier_at(int number, int threads, const Where& where) {
  if (number < 1 || number >= kBarriers || threads < 1 || threads % 32 != 0) {
    fail("barrier " + std::to_string(number) + " for " + std::to_string(threads) + " threads");
  }
  wait_at(number, static_cast<unsigned>(threads), false, where);
}

/// That the lanes of `mask` are at the same exchange as `self`, when all of them have arrived.
static void check_exchange(const Block& b, const Warp& warp, const Thread& self, unsigned mask) {
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((mask >> l & 1U) == 0) continue;
    const Thread& other = b.threads[self.number / kLanes * kLanes + l];
    if (warp.mask[l] != mask || other.where.line() != self.where.line()) {
      fail("lanes " + std::to_string(self.number % kLanes) + " and " + std::to_string(l) +
           " of a warp meet with masks " + std::to_string(mask) + " and " +
           std::to_string(warp.mask[l]) + " at " + place(self.where) + " and " +
           place(other.where));
    }
  }
}

Lanes exchange(unsigned mask, const void* value, std::size_t bytes, const Where& where) {
  Block& b = block();
  Thread& self = *b.current;
  Warp& warp = b.warps[self.number / kLanes];
  const unsigned own = self.number % kLanes;
  self.where = where;
  if ((mask >> own & 1U) == 0 || (mask & ~warp.live) != 0) {
    fail("lane " + std::to_string(own) + " names lanes " + std::to_string(mask) + " of which " +
         std::to_string(warp.live) + " are there, at " + place(where));
  }
  if (bytes > 0) {
    const unsigned half = warp.halves >> own & 1U;
    std::memcpy(warp.slots.data() + (half * kLanes + own) * kExchangeBytes, value, bytes);
  }
  warp.arrived |= 1U << own;
  warp.mask[own] = mask;
  if ((warp.arrived & mask) != mask) {
    suspend(b, "warp exchange", where);
    return self.lanes;
  }
  check_exchange(b, warp, self, mask);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((mask >> l & 1U) == 0) continue;
    Thread& thread = b.threads[self.number / kLanes * kLanes + l];
    thread.lanes = {warp.slots.data(), mask, warp.halves};
    b.ready.push_back(&thread);
  }
  warp.arrived &= ~mask;
  warp.halves ^= mask;
  const auto woken = b.ready.end() - __builtin_popcount(mask);
  if (b.seed != 0) std::shuffle(woken, b.ready.end(), b.random);
  suspend(b, "warp exchange", where);
  return self.lanes;
}

unsigned live_lanes() {
  const Block& b = block();
  return b.warps[b.current->number / kLanes].live;
}

unsigned lane() {
  return block().current->number % kLanes;
}

void* dynamic_shared() {
  return block().shared_begin;
}

void async_copy(void* to, const void* from, std::size_t bytes, bool valid) {
  block().current->open_copies.push_back({to, from, bytes, valid});
}

void async_commit() {
  Thread& self = *block().current;
  self.copy_groups.push_back(std::move(self.open_copies));
  self.open_copies.clear();
}

void async_wait(std::size_t groups) {
  Thread& self = *block().current;
  while (self.copy_groups.size() > groups) {
    for (const Copy& copy : self.copy_groups.front()) {
      if (copy.valid) std::memcpy(copy.to, copy.from, copy.bytes);
      if (!copy.valid) std::memset(copy.to, 0, copy.bytes);
    }
    self.copy_groups.pop_front();
  }
}

void wait_among(std::vector<Thread*>& waiting, const char* waits_for, const Where& where) {
  waiting.push_back(block().current);
  suspend(block(), waits_for, where);
}

void wake(std::vector<Thread*>& waiting) {
  make_ready(block(), waiting);
}

bool is_at_once() {
  Block& b = block();
  return b.seed == 0 || b.random() % 2 == 0;
}

void async_product(std::function<void()> product) {
  block().current->open_products.push_back(std::move(product));
}

void product_commit() {
  Thread& self = *block().current;
  self.product_groups.push_back(std::move(self.open_products));
  self.open_products.clear();
}

void product_wait(std::size_t groups) {
  Thread& self = *block().current;
  while (self.product_groups.size() > groups) {
    for (const auto& product : self.product_groups.front()) product();
    self.product_groups.pop_front();
  }
}

}  // namespace cuda_on_cpu
