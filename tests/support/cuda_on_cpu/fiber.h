// Fiber: a function with a stack of its own that gives up the processor by name. Switching costs
// some ten instructions on x86-64 (registers that calls preserve, and the stack pointer), and what
// ucontext costs elsewhere.
#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cuda_on_cpu {

/// Where a suspended flow of control goes on.
struct Context {
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t state{};
#endif
#if defined(__SANITIZE_THREAD__)
  void* tsan = nullptr;
#endif
};

/// Suspends the caller in `from` and goes on in `to`. All on one operating system thread.
void switch_context(Context& from, Context& to);

/// Makes `to` begin with entry(), which must never return, on the given stack.
void make_context(Context& to, std::byte* stack, std::size_t stack_bytes, void (*entry)());

/// Memory for stacks, each with a page behind it that faults; kept until the end.
class Stacks {
 public:
  Stacks(std::size_t count, std::size_t bytes_each);
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;
  ~Stacks();

  [[nodiscard]] std::byte* stack(std::size_t index) const;
  [[nodiscard]] std::size_t bytes_each() const { return bytes_each_; }
  /// After fibers were abandoned: what a sanitizer holds against their frames is forgotten.
  void forget_frames() const;

 private:
  std::byte* memory_ = nullptr;
  std::size_t count_ = 0;
  std::size_t bytes_each_ = 0;
  std::size_t stride_ = 0;
};

}  // namespace cuda_on_cpu
