#include "engine/kv/page_memory.h"

#include <cstdlib>
#include <cstring>

namespace facet::engine {
namespace {

constexpr std::size_t kAlignment = 64;

class HostPageMemory final : public PageMemory {
 public:
  std::shared_ptr<std::byte[]> allocate(std::int64_t bytes) override {
    const std::size_t rounded =
        (static_cast<std::size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
    auto* const memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
    if (memory == nullptr) return nullptr;
    return {memory, [](std::byte* page) { std::free(page); }};
  }

  void copy(std::byte* to, const std::byte* from, std::int64_t bytes) override {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }

  Status read(std::span<std::byte> to, const std::byte* from) override {
    if (!to.empty()) std::memcpy(to.data(), from, to.size());
    return ok();
  }

  Status write(std::byte* to, std::span<const std::byte> from) override {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
    return ok();
  }
};

}  // namespace

PageMemory& host_page_memory() {
  static HostPageMemory memory;
  return memory;
}

}  // namespace facet::engine
