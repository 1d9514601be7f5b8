#include "tests/unit/stacks/made_stack.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "probes/stacks/symbolise.h"
#include "tests/unit/symbols/programs.h"

namespace nohalt::stacks {

namespace {

// Each function takes a known number of bytes, and calls are labelled by what
// comes behind them.
constexpr const char* kSource = R"(
  .text
  .macro function name
  .globl \name
  .type \name,@function
\name:
  .cfi_startproc
  .endm
  .macro finish name
  .cfi_endproc
  .size \name,.-\name
  .endm

  function _start
  .cfi_undefined rip
  call outer
  .globl in_start
in_start:
  hlt
  finish _start

  function outer          # 16 bytes, saves rbx in the lower word
  push %rbx
  .cfi_def_cfa_offset 16
  .cfi_offset rbx, -16
  call inner
  .globl in_outer
in_outer:
  call ends
  .globl behind_outer     # where `outer` has ended, and `inner` begins
behind_outer:
  finish outer

  function inner          # 8 bytes
  .globl inner_pc
inner_pc:
  nop
  .globl in_inner
in_inner:
  ret
  finish inner

  function ends
  nop
  finish ends

  function framed         # by rbp
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset rbp, -16
  mov %rsp, %rbp
  .cfi_def_cfa_register rbp
  call inner
  .globl in_framed
in_framed:
  pop %rbp
  .cfi_def_cfa rsp, 8
  ret
  finish framed

  function loses_rbp      # 8 bytes
  .cfi_undefined rbp
  call inner
  .globl in_loses_rbp
in_loses_rbp:
  ret
  finish loses_rbp

  function loses_rbx      # 8 bytes
  .cfi_undefined rbx
  call inner
  .globl in_loses_rbx
in_loses_rbx:
  ret
  finish loses_rbx

  function keeps_vector   # 16 bytes, an xmm register among the saved
  .cfi_def_cfa_offset 16
  .cfi_offset xmm6, -16
  .cfi_val_offset r12, 24
  call *8(%rax,%rbx,4)
  .globl in_keeps_vector
in_keeps_vector:
  ret
  finish keeps_vector

  function restorer       # 16 bytes: where it was interrupted, and that rsp
  .cfi_signal_frame
  .cfi_def_cfa rsp, 0
  .cfi_offset rip, 0
  .cfi_offset rsp, 8
  nop                     # as in the C library: what is before the return address is its own
  .globl in_restorer
in_restorer:
  nop
  finish restorer

  .globl bare
  .type bare,@function
bare:
  call inner
  .globl in_bare
in_bare:
  ret
  .size bare,.-bare
  .fill 4096 - (. - _start), 1, 0x90
)";

const std::map<std::string, std::uint64_t>& labels() {
  static const std::map<std::string, std::uint64_t> all = [] {
    std::map<std::string, std::uint64_t> found;
    const std::string list = symbols::scratch_folder() + "/labels";
    EXPECT_TRUE(symbols::shell("nm " + made_program() + " > " + list));
    std::ifstream lines(list);
    std::uint64_t address = 0;
    std::string kind;
    std::string name;
    while (lines >> std::hex >> address >> kind >> name) found[name] = address;
    return found;
  }();
  return all;
}

}  // namespace

const std::string& made_program() {
  static const std::string path =
      symbols::compiled("frames.S", kSource,
                        {.compiler = "gcc", .flags = "-nostdlib -static -no-pie -Wl,--build-id"});
  return path;
}

RuntimeAddress at(const std::string& label) {
  const auto found = labels().find(label);
  EXPECT_NE(found, labels().end()) << label;
  return {found == labels().end() ? 0 : found->second + kBias};
}

target::Mapping text_of(const std::string& program) {
  struct stat facts{};
  EXPECT_EQ(::stat(program.c_str(), &facts), 0);
  target::Mapping text;
  text.range = {{kBias + kText}, {kBias + kText + kPageSize}};
  text.readable = text.executable = true;
  text.offset = kPageSize;
  text.file.inode = facts.st_ino;
  text.path = program;
  return text;
}

CapturedStack MadeStack::captured_at(const std::string& label) const {
  CapturedStack captured;
  for (auto& each : captured.registers) each = 0x1111;
  captured.registers[kRsp] = kStack;
  captured.registers[kPc] = at(label).value;
  captured.stack_begin = {kStack};
  captured.bytes = std::as_bytes(std::span(words_));
  return captured;
}

UnwindImages made_images(ImageOptions options) {
  return {target::Maps({text_of(made_program())}), std::move(options)};
}

Unwound walk(const CapturedStack& captured, ImageOptions options, UnwindOptions unwind_options) {
  Result<Unwound> unwound = unwind(captured, made_images(std::move(options)), unwind_options);
  EXPECT_TRUE(unwound.has_value());
  return unwound ? std::move(*unwound) : Unwound{};
}

std::vector<std::string> names(const Unwound& unwound) {
  std::vector<std::string> all;
  for (const NamedFrame& frame : symbolise(unwound.frames, made_images()))
    all.push_back(frame.function);
  return all;
}

}  // namespace nohalt::stacks
