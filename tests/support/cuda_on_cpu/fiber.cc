#include "tests/support/cuda_on_cpu/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#if defined(__x86_64__)
// facet_switch_stack(void** save_here, void* go_there)
asm(R"(
.text
.p2align 4
.globl facet_switch_stack
.type facet_switch_stack,@function
facet_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size facet_switch_stack,.-facet_switch_stack
)");
extern "C" void facet_switch_stack(void** save_here, void* go_there);
#endif

namespace cuda_on_cpu {

void switch_context(Context& from, Context& to) {
#if defined(__SANITIZE_THREAD__)
  if (from.tsan == nullptr) from.tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
#if defined(__x86_64__)
  facet_switch_stack(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(&from.state, &to.state);
#endif
}

void make_context(Context& to, std::byte* stack, std::size_t stack_bytes, void (*entry)()) {
#if defined(__SANITIZE_THREAD__)
  if (to.tsan == nullptr) to.tsan = __tsan_create_fiber(0);
#endif
#if defined(__x86_64__)
  // At a function's first instruction the stack pointer is 8 off a multiple of 16.
  auto* top = reinterpret_cast<std::uintptr_t*>(stack + stack_bytes);
  *--top = 0;  // Where entry() would return to.
  *--top = reinterpret_cast<std::uintptr_t>(entry);
  for (int i = 0; i < 6; ++i) *--top = 0;
  to.stack_pointer = top;
#else
  getcontext(&to.state);
  to.state.uc_stack.ss_sp = stack;
  to.state.uc_stack.ss_size = stack_bytes;
  to.state.uc_link = nullptr;
  makecontext(&to.state, entry, 0);
#endif
}

Stacks::Stacks(std::size_t count, std::size_t bytes_each) : count_(count), bytes_each_(bytes_each) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  stride_ = bytes_each + page;
  void* memory = mmap(nullptr,
                      count * stride_,
                      PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      -1,
                      0);
  if (memory == MAP_FAILED) std::abort();
  memory_ = static_cast<std::byte*>(memory);
  for (std::size_t i = 0; i < count; ++i) {
    if (mprotect(memory_ + i * stride_, page, PROT_NONE) != 0) std::abort();
  }
}

Stacks::~Stacks() {
  munmap(memory_, count_ * stride_);
}

std::byte* Stacks::stack(std::size_t index) const {
  return memory_ + index * stride_ + (stride_ - bytes_each_);
}

void Stacks::forget_frames() const {
#if defined(__SANITIZE_ADDRESS__)
  for (std::size_t i = 0; i < count_; ++i) ASAN_UNPOISON_MEMORY_REGION(stack(i), bytes_each_);
#endif
}

}  // namespace cuda_on_cpu
