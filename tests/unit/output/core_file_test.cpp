// A core file as other programs read it: its headers, notes and segments.
#include "src/output/core_file.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <cstring>
#include <map>

namespace nohalt::output {
namespace {

template <class T>
T at(const std::string& bytes, std::uint64_t offset) {
  T value{};
  EXPECT_LE(offset + sizeof value, bytes.size());
  if (offset + sizeof value <= bytes.size())
    std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::vector<Elf64_Phdr> segments_of(const std::string& bytes) {
  const auto header = at<Elf64_Ehdr>(bytes, 0);
  std::vector<Elf64_Phdr> segments;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i)
    segments.push_back(at<Elf64_Phdr>(bytes, header.e_phoff + i * header.e_phentsize));
  return segments;
}

std::map<std::uint32_t, std::string> notes_of(const std::string& bytes) {
  std::map<std::uint32_t, std::string> notes;
  const Elf64_Phdr segment = segments_of(bytes).at(0);
  EXPECT_EQ(segment.p_type, Elf64_Word{PT_NOTE});
  for (std::uint64_t i = segment.p_offset; i < segment.p_offset + segment.p_filesz;) {
    const auto note = at<Elf64_Nhdr>(bytes, i);
    EXPECT_EQ(bytes.substr(i + sizeof note, note.n_namesz), std::string("CORE\0", 5));
    i += sizeof note + (note.n_namesz + 3) / 4 * 4;
    notes[note.n_type] = bytes.substr(i, note.n_descsz);
    i += (note.n_descsz + 3) / 4 * 4;
  }
  return notes;
}

CoreFile sample() {
  CoreFile core;
  core.pid = 40;
  core.tid = 41;
  core.command = "worker";
  core.exe = "/usr/bin/orders";
  for (std::size_t i = 0; i < core.registers.size(); ++i) core.registers[i] = 100 + i;
  core.auxiliary = {{AT_ENTRY, 0x401000}};
  core.files = {{{{0x400000}, {0x402000}}, 0x1000, "/usr/bin/orders"}};
  core.memory = {{{0x7000}, {std::byte{1}, std::byte{2}, std::byte{3}}},
                 {{0x8001}, {std::byte{4}}}};
  return core;
}

TEST(CoreFile, IsACoreOfThisMachine) {
  const auto header = at<Elf64_Ehdr>(core_file_bytes(sample()), 0);
  EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
  EXPECT_EQ(header.e_type, ET_CORE);
  EXPECT_EQ(header.e_machine, EM_X86_64);
}

TEST(CoreFile, HasEachPieceOfMemoryAtItsAddressToTheByte) {
  const std::string bytes = core_file_bytes(sample());
  const auto segments = segments_of(bytes);
  ASSERT_EQ(segments.size(), 3);
  EXPECT_EQ(segments[1].p_type, Elf64_Word{PT_LOAD});
  EXPECT_EQ(segments[1].p_vaddr, 0x7000);
  EXPECT_EQ(segments[1].p_memsz, 3);
  EXPECT_EQ(bytes.substr(segments[1].p_offset, segments[1].p_filesz), "\1\2\3");
  EXPECT_EQ(segments[2].p_vaddr, 0x8001);
  EXPECT_EQ(bytes.substr(segments[2].p_offset, segments[2].p_filesz), "\4");
}

TEST(CoreFile, HasTheThreadsRegisters) {
  const auto notes = notes_of(core_file_bytes(sample()));
  const auto status = at<elf_prstatus>(notes.at(NT_PRSTATUS), 0);
  EXPECT_EQ(status.pr_pid, 41);
  user_regs_struct registers{};
  std::memcpy(&registers, &status.pr_reg, sizeof registers);
  EXPECT_EQ(registers.rax, 100);
  EXPECT_EQ(registers.rdx, 101);
  EXPECT_EQ(registers.rbp, 106);
  EXPECT_EQ(registers.rsp, 107);
  EXPECT_EQ(registers.r15, 115);
  EXPECT_EQ(registers.rip, 116);
}

TEST(CoreFile, NamesTheProgramAndItsFiles) {
  const auto notes = notes_of(core_file_bytes(sample()));
  const auto info = at<elf_prpsinfo>(notes.at(NT_PRPSINFO), 0);
  EXPECT_EQ(info.pr_pid, 40);
  EXPECT_STREQ(info.pr_fname, "worker");
  EXPECT_STREQ(info.pr_psargs, "/usr/bin/orders");
  const std::string& files = notes.at(NT_FILE);
  EXPECT_EQ(at<std::uint64_t>(files, 0), 1);
  EXPECT_EQ(at<std::uint64_t>(files, 16), 0x400000);
  EXPECT_EQ(at<std::uint64_t>(files, 24), 0x402000);
  EXPECT_EQ(at<std::uint64_t>(files, 32), 1);
  EXPECT_EQ(files.substr(40), std::string("/usr/bin/orders\0", 16));
  EXPECT_EQ(at<std::uint64_t>(notes.at(NT_AUXV), 8), 0x401000);
}

TEST(CoreFile, HasVectorRegistersOnlyWhereTheyAreKnown) {
  CoreFile core = sample();
  EXPECT_FALSE(notes_of(core_file_bytes(core)).contains(NT_FPREGSET));
  core.vectors.emplace();
  (*core.vectors)[1][0] = std::byte{7};
  const auto notes = notes_of(core_file_bytes(core));
  const auto registers = at<user_fpregs_struct>(notes.at(NT_FPREGSET), 0);
  EXPECT_EQ(registers.xmm_space[4], 7U);
}

TEST(CoreFile, CutsNamesThatTheNotesHaveNoRoomFor) {
  CoreFile core = sample();
  core.command = std::string(100, 'c');
  core.exe = std::string(200, 'e');
  const auto notes = notes_of(core_file_bytes(core));
  const auto info = at<elf_prpsinfo>(notes.at(NT_PRPSINFO), 0);
  EXPECT_EQ(std::strlen(info.pr_fname), sizeof info.pr_fname - 1);
  EXPECT_EQ(std::strlen(info.pr_psargs), sizeof info.pr_psargs - 1);
}

}  // namespace
}  // namespace nohalt::output
