#include "engine/model/resident_weights.h"

#include "engine/model/memory_limit.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace facet::engine {
namespace {

constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
constexpr std::int64_t kAlignment = 64;

/// What a thread copies at a time.
constexpr std::int64_t kPart = std::int64_t{4} << 20;

std::int64_t rounded(std::int64_t bytes, std::int64_t to) {
  return (bytes + to - 1) / to * to;
}

std::vector<TensorView*> matrices(ModelWeights& weights) {
  std::vector<TensorView*> out{&weights.embedding, &weights.dense2, &weights.dense3};
  for (LayerWeights& layer : weights.layers) {
    for (TensorView* view :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      out.push_back(view);
    }
  }
  std::erase_if(out, [](const TensorView* view) { return view->empty(); });
  return out;
}

std::int64_t memory_available() {
  std::ifstream in("/proc/meminfo");
  std::string name;
  std::int64_t kib = 0;
  std::string unit;
  while (in >> name >> kib && std::getline(in, unit)) {
    if (name == "MemAvailable:") return kib * 1024;
  }
  return 0;
}

/// An anonymous mapping; gives it back.
class Region {
 public:
  Region(void* memory, std::size_t bytes) : memory_(memory), bytes_(bytes) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() { ::munmap(memory_, bytes_); }

  [[nodiscard]] std::byte* begin() const {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_);
    const auto skip =
        rounded(static_cast<std::int64_t>(address), kHugePage) - static_cast<std::int64_t>(address);
    return static_cast<std::byte*>(memory_) + skip;
  }

 private:
  void* memory_;
  std::size_t bytes_;
};

struct Part {
  std::byte* to;
  const std::byte* from;
  std::int64_t bytes;
};

/// Advises the system about the whole pages of a mapped file between two addresses. Only advice:
/// what is not followed costs time or memory, nothing else.
void advise(const std::byte* from, std::int64_t bytes, int advice) {
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  const auto address = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(from));
  const std::int64_t skip = rounded(address, page) - address;
  const std::int64_t whole = (bytes - skip) / page * page;
  if (whole <= 0) return;
  ::madvise(const_cast<std::byte*>(from) + skip, static_cast<std::size_t>(whole), advice);
}

void copy_all(const std::vector<Part>& parts, int threads, bool drops_source) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < parts.size(); i = next++) {
      // All pages at once, not a fault for each.
      advise(parts[i].from, parts[i].bytes, MADV_POPULATE_READ);
      std::memcpy(parts[i].to, parts[i].from, static_cast<std::size_t>(parts[i].bytes));
      if (drops_source) advise(parts[i].from, parts[i].bytes, MADV_DONTNEED);
    }
  };
  std::vector<std::jthread> others;
  try {
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
  } catch (const std::system_error&) {
    // Fewer threads copy the same.
  }
  work();
}

std::string megabytes(std::int64_t bytes) {
  return std::to_string(bytes / 1'000'000) + " MB";
}

}  // namespace

HugePageSupport huge_page_support() {
  HugePageSupport out{.bytes_available = memory_available()};
  std::ifstream in("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string modes;
  out.is_offered = std::getline(in, modes) && modes.find("[never]") == std::string::npos;
  std::ostringstream groups;
  groups << std::ifstream("/proc/self/cgroup").rdbuf();
  out.bytes_available =
      std::min(out.bytes_available, cgroup_bytes_left(groups.str(), "/sys/fs/cgroup"));
  return out;
}

std::string why_not_resident(std::int64_t bytes, const HugePageSupport& support) {
  if (!support.is_offered) return "the system offers no huge pages (transparent_hugepage is never)";
  if (bytes + bytes / 4 <= support.bytes_available) return {};
  return "weights of " + megabytes(bytes) +
         " in huge pages, and a quarter to spare, are more than the " +
         megabytes(support.bytes_available) + " of memory available";
}

std::int64_t matrix_bytes(const ModelWeights& weights) {
  ModelWeights views = weights;
  std::int64_t out = 0;
  for (const TensorView* view : matrices(views)) out += view->bytes();
  return out;
}

Result<std::shared_ptr<const void>> make_resident(ModelWeights& weights,
                                                  int threads,
                                                  bool drops_source) {
  const std::vector<TensorView*> views = matrices(weights);
  std::int64_t bytes = 0;
  for (const TensorView* view : views) bytes += rounded(view->bytes(), kAlignment);
  const auto length = static_cast<std::size_t>(rounded(bytes, kHugePage) + kHugePage);
  void* const memory = ::mmap(
      nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return Error{Code::unavailable,
                 "no memory for weights of " + megabytes(bytes) + ": " +
                     std::generic_category().message(errno)};
  }
  auto region = std::make_shared<const Region>(memory, length);
  if (::madvise(region->begin(), length - kHugePage, MADV_HUGEPAGE) != 0) {
    return Error{Code::unavailable,
                 "huge pages are refused: " + std::generic_category().message(errno)};
  }
  std::vector<Part> parts;
  std::byte* to = region->begin();
  for (const TensorView* view : views) {
    for (std::int64_t at = 0; at < view->bytes(); at += kPart) {
      parts.push_back({to + at, view->data + at, std::min(kPart, view->bytes() - at)});
    }
    to += rounded(view->bytes(), kAlignment);
  }
  copy_all(parts, threads, drops_source);
  to = region->begin();
  for (TensorView* view : views) {
    view->data = to;
    to += rounded(view->bytes(), kAlignment);
  }
  return std::shared_ptr<const void>(std::move(region));
}

}  // namespace facet::engine
