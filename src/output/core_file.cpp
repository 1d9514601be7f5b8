#include "src/output/core_file.h"

#include <elf.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>

namespace nohalt::output {

namespace {

constexpr std::uint16_t kUserCode = 0x33;  // segment selectors of every 64-bit process
constexpr std::uint16_t kUserStack = 0x2b;

template <class T>
std::string raw(const T& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string note(std::uint32_t type, const std::string& content) {
  const std::string name("CORE\0\0\0\0", 8);
  std::string bytes = raw(Elf64_Nhdr{5, static_cast<Elf64_Word>(content.size()), type});
  bytes += name + content;
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

template <std::size_t kSize>
void copy_text(char (&to)[kSize], const std::string& text) {
  std::copy_n(text.begin(), std::min(text.size(), kSize - 1), to);
}

std::string status_note(const CoreFile& core) {
  const auto& at = core.registers;
  user_regs_struct registers{};
  registers.rax = at[0];
  registers.rdx = at[1];
  registers.rcx = at[2];
  registers.rbx = at[3];
  registers.rsi = at[4];
  registers.rdi = at[5];
  registers.rbp = at[6];
  registers.rsp = at[7];
  registers.r8 = at[8];
  registers.r9 = at[9];
  registers.r10 = at[10];
  registers.r11 = at[11];
  registers.r12 = at[12];
  registers.r13 = at[13];
  registers.r14 = at[14];
  registers.r15 = at[15];
  registers.rip = at[16];
  registers.orig_rax = ~0ULL;  // it is in no system call
  registers.cs = kUserCode;
  registers.ss = kUserStack;
  elf_prstatus status{};
  status.pr_pid = core.tid;
  static_assert(sizeof status.pr_reg == sizeof registers);
  std::memcpy(&status.pr_reg, &registers, sizeof registers);
  return note(NT_PRSTATUS, raw(status));
}

std::string process_note(const CoreFile& core) {
  elf_prpsinfo info{};
  info.pr_pid = core.pid;
  info.pr_sname = 'R';
  copy_text(info.pr_fname, core.command);
  copy_text(info.pr_psargs, core.exe);
  return note(NT_PRPSINFO, raw(info));
}

std::string vectors_note(const CoreFile& core) {
  user_fpregs_struct registers{};
  registers.mxcsr = 0x1f80;  // as processes begin with; so is the next
  registers.cwd = 0x37f;
  static_assert(sizeof registers.xmm_space == sizeof *core.vectors);
  std::memcpy(registers.xmm_space, core.vectors->data(), sizeof registers.xmm_space);
  return note(NT_FPREGSET, raw(registers));
}

std::string auxiliary_note(const CoreFile& core) {
  std::string content;
  for (const auto& [type, value] : core.auxiliary) content += raw(type) + raw(value);
  content += raw(std::uint64_t{AT_NULL}) + raw(std::uint64_t{0});
  return note(NT_AUXV, content);
}

std::string files_note(const CoreFile& core) {
  std::string content = raw(std::uint64_t{core.files.size()}) + raw(kPageSize);
  for (const CoreFile::File& file : core.files)
    content +=
        raw(file.range.begin.value) + raw(file.range.end.value) + raw(file.offset / kPageSize);
  for (const CoreFile::File& file : core.files) content += file.path + '\0';
  return note(NT_FILE, content);
}

Elf64_Ehdr file_header(std::size_t segments) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(segments);
  return header;
}

Elf64_Phdr segment_header(std::uint32_t type, std::uint64_t offset, std::uint64_t address,
                          std::uint64_t size) {
  Elf64_Phdr header{};
  header.p_type = type;
  header.p_flags = PF_R;
  header.p_offset = offset;
  header.p_vaddr = address;
  header.p_filesz = size;
  header.p_memsz = type == PT_LOAD ? size : 0;
  header.p_align = type == PT_LOAD ? 1 : 4;
  return header;
}

}  // namespace

std::string core_file_bytes(const CoreFile& core) {
  std::string notes = status_note(core) + process_note(core) + auxiliary_note(core);
  if (!core.files.empty()) notes += files_note(core);
  if (core.vectors) notes += vectors_note(core);

  const std::size_t segments = 1 + core.memory.size();
  std::string headers = raw(file_header(segments));
  std::uint64_t offset = headers.size() + segments * sizeof(Elf64_Phdr);
  headers += raw(segment_header(PT_NOTE, offset, 0, notes.size()));
  offset += notes.size();
  std::string memory;
  for (const CoreFile::Segment& segment : core.memory) {
    headers += raw(
        segment_header(PT_LOAD, offset + memory.size(), segment.begin.value, segment.bytes.size()));
    memory.append(reinterpret_cast<const char*>(segment.bytes.data()), segment.bytes.size());
  }
  return headers + notes + memory;
}

}  // namespace nohalt::output
