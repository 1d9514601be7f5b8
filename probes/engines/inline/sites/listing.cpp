// A decoder of its own: the one that decides has no text, and its syntax is set
// for good when it is opened.
#include "probes/engines/inline/sites/listing.h"

#include <capstone/capstone.h>

#include <cstdio>

#include "probes/engines/inline/sites/instruction.h"

namespace nohalt::inline_sites {
namespace {

class TextDecoder {
 public:
  TextDecoder() {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) == CS_ERR_OK)
      cs_option(handle_, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
  }
  ~TextDecoder() {
    if (handle_ != 0) cs_close(&handle_);
  }
  TextDecoder(const TextDecoder&) = delete;
  TextDecoder& operator=(const TextDecoder&) = delete;

  [[nodiscard]] std::string text(std::span<const std::uint8_t> code, RuntimeAddress address) const {
    if (handle_ == 0) return {};
    cs_insn* found = nullptr;
    const std::size_t count =
        cs_disasm(handle_, code.data(), code.size(), address.value, 1, &found);
    if (count == 0) return {};
    std::string text = found->mnemonic;
    if (found->op_str[0] != '\0') text += ' ' + std::string(found->op_str);
    cs_free(found, count);
    return text;
  }

 private:
  csh handle_ = 0;
};

// What `disp(%rip)` means there.
std::string operand_address(const Instruction& instruction, RuntimeAddress address) {
  const RuntimeAddress operand =
      address + instruction.length + static_cast<std::uint64_t>(instruction.relative);
  char text[24];
  std::snprintf(text, sizeof(text), "  # 0x%llx", static_cast<unsigned long long>(operand.value));
  return text;
}

}  // namespace

std::string listing(std::span<const std::uint8_t> code, RuntimeAddress address) {
  thread_local const TextDecoder decoder;
  std::string text = decoder.text(code, address);
  const auto instruction = decode(code);
  if (!text.empty() && instruction && instruction->rip_relative)
    text += operand_address(*instruction, address);
  return text;
}

}  // namespace nohalt::inline_sites
