// Reading an ELF file through libelf. Every size and offset in it is taken as
// hostile: nothing is read but through bounds-checked calls.
#include "probes/symbols/elf_image.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

namespace nohalt::symbols {

namespace {

constexpr std::uint64_t kLargestRead = 256U << 20U;

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4U]);
    hex.push_back(kDigits[byte & 15U]);
  }
  return hex;
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value & 1U) != 0 ? (value >> 1U) ^ 0xedb88320U : value >> 1U;
    table[i] = value;
  }
  return table;
}

std::unexpected<Error> not_elf(const std::string& name) {
  return fail(ErrorCode::kUsage, "not-elf",
              name + " is not an ELF executable or shared library, or is damaged.",
              "Name the program's own executable file.");
}

std::string build_id_of(Elf* elf) {
  const void* id = nullptr;
  const ssize_t size = dwelf_elf_gnu_build_id(elf, &id);
  if (size <= 0 || size > 64) return {};
  return to_hex({static_cast<const std::uint8_t*>(id), static_cast<std::size_t>(size)});
}

}  // namespace

Result<ElfImage> ElfImage::open(const std::string& path, const std::string& name) {
  elf_version(EV_CURRENT);
  ElfImage image;
  image.fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!image.fd_.valid()) return fail_errno("open", path, errno);
  image.elf_.reset(elf_begin(image.fd_.get(), ELF_C_READ, nullptr));
  if (!image.elf_ || elf_kind(image.elf_.get()) != ELF_K_ELF) return not_elf(name);
  NOHALT_CHECK(image.read_headers(name));
  return image;
}

Status ElfImage::read_headers(const std::string& name) {
  GElf_Ehdr header;
  if (gelf_getehdr(elf_.get(), &header) == nullptr) return not_elf(name);
  if (header.e_machine != EM_X86_64 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return fail(ErrorCode::kRefused, "wrong-architecture", name + " is not built for x86-64.",
                "Only 64-bit x86 programs can be probed.");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return not_elf(name);
  position_independent_ = header.e_type == ET_DYN;

  std::size_t count = 0;
  if (elf_getphdrnum(elf_.get(), &count) != 0) return not_elf(name);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) return not_elf(name);
    if (segment.p_type == PT_TLS) thread_locals_ = segment;
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    const std::uint64_t end = segment.p_vaddr + segment.p_memsz;
    if (end < segment.p_vaddr || segment.p_filesz > segment.p_memsz) return not_elf(name);
    segments_.push_back({.range = {{segment.p_vaddr}, {end}},
                         .file_offset = segment.p_offset,
                         .file_size = segment.p_filesz,
                         .executable = (segment.p_flags & PF_X) != 0,
                         .writable = (segment.p_flags & PF_W) != 0});
  }
  build_id_ = build_id_of(elf_.get());
  return {};
}

bool ElfImage::is_executable(LinkRange range) const {
  return std::ranges::any_of(segments_, [&](const Segment& segment) {
    return segment.executable && segment.range.begin <= range.begin &&
           range.begin < segment.range.end && range.end <= segment.range.end;
  });
}

// A program is at a fixed address, or says of itself that it is one.
bool ElfImage::is_program() const {
  if (!position_independent_) return true;
  Elf_Scn* scan = nullptr;
  while ((scan = elf_nextscn(elf_.get(), scan)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(scan, &header) == nullptr || header.sh_type != SHT_DYNAMIC) continue;
    Elf_Data* data = elf_getdata(scan, nullptr);
    GElf_Dyn entry;
    for (int i = 0; data != nullptr && gelf_getdyn(data, i, &entry) != nullptr; ++i)
      if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE) != 0) return true;
  }
  return false;
}

// A program's block is the first below the thread pointer, as near as its size and its
// alignment let it be. The C library puts its first byte where it is as far from a multiple
// of the alignment as in the file, and so does the linker's code.
//
// Source: Drepper, "ELF Handling For Thread-Local Storage", section 3, variant II.
bool ElfImage::has_symbol(std::string_view name) const {
  Elf_Scn* scan = nullptr;
  while ((scan = elf_nextscn(elf_.get(), scan)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(scan, &header) == nullptr) continue;
    if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) continue;
    Elf_Data* data = elf_getdata(scan, nullptr);
    GElf_Sym symbol;
    for (int i = 0; data != nullptr && gelf_getsym(data, i, &symbol) != nullptr; ++i) {
      const char* found = elf_strptr(elf_.get(), header.sh_link, symbol.st_name);
      if (found != nullptr && name == found) return true;
    }
  }
  return false;
}

std::optional<std::uint64_t> ElfImage::thread_local_distance() const {
  if (!thread_locals_ || !is_program()) return std::nullopt;
  const std::uint64_t align = std::max<std::uint64_t>(thread_locals_->p_align, 1);
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 40;
  if (!std::has_single_bit(align) || align > kLargest || thread_locals_->p_memsz > kLargest)
    return std::nullopt;
  const std::uint64_t first = (0 - thread_locals_->p_vaddr) & (align - 1);
  const std::uint64_t rest = thread_locals_->p_memsz - first;
  return ((rest + align - 1) & ~(align - 1)) + first;
}

std::vector<std::uint8_t> ElfImage::read_up_to(LinkAddress at, std::uint64_t size) const {
  for (const Segment& segment : segments_) {
    if (!segment.range.contains(at)) continue;
    const std::uint64_t into = at - segment.range.begin;
    const std::uint64_t length = std::min({size, segment.range.end - at, kLargestRead});
    std::vector<std::uint8_t> bytes(length, 0);
    const std::uint64_t in_file =
        into < segment.file_size ? std::min(length, segment.file_size - into) : 0;
    std::uint64_t done = 0;
    while (done < in_file) {
      const ssize_t got = ::pread(fd_.get(), bytes.data() + done, in_file - done,
                                  static_cast<off_t>(segment.file_offset + into + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return {};
      done += static_cast<std::uint64_t>(got);
    }
    return bytes;
  }
  return {};
}

Result<std::vector<std::uint8_t>> ElfImage::read(LinkAddress at, std::uint64_t size) const {
  std::vector<std::uint8_t> bytes = read_up_to(at, size);
  if (bytes.size() != size || size == 0) {
    return fail(ErrorCode::kUsage, "not-in-file",
                "The file holds no loadable bytes at the asked addresses.");
  }
  return bytes;
}

// Null: there is none of that name that has bytes in the file.
Elf_Scn* ElfImage::find_section(std::string_view name, GElf_Shdr& header) const {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_.get(), &names) != 0) return nullptr;
  Elf_Scn* scan = nullptr;
  while ((scan = elf_nextscn(elf_.get(), scan)) != nullptr) {
    if (gelf_getshdr(scan, &header) == nullptr) continue;
    const char* text = elf_strptr(elf_.get(), names, header.sh_name);
    if (text != nullptr && name == text) return header.sh_type == SHT_NOBITS ? nullptr : scan;
  }
  return nullptr;
}

std::optional<SectionBytes> ElfImage::section(std::string_view name) const {
  GElf_Shdr header;
  Elf_Scn* found = find_section(name, header);
  if (found == nullptr) return std::nullopt;
  const Elf_Data* data = elf_rawdata(found, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return std::nullopt;
  return SectionBytes{.address = header.sh_addr,
                      .bytes = {static_cast<const std::uint8_t*>(data->d_buf), data->d_size}};
}

bool ElfImage::has_section(std::string_view name) const {
  GElf_Shdr header;
  return find_section(name, header) != nullptr;
}

bool ElfImage::has_debug_info() const {
  return has_section(".debug_info") || has_section(".zdebug_info");
}

std::optional<DebugLink> ElfImage::debug_link() const {
  GElf_Word crc = 0;
  const char* file = dwelf_elf_gnu_debuglink(elf_.get(), &crc);
  if (file == nullptr || *file == '\0') return std::nullopt;
  return DebugLink{.file = file, .crc = crc};
}

struct stat ElfImage::facts() const {
  struct stat facts{};
  if (::fstat(fd_.get(), &facts) != 0) facts = {};
  return facts;
}

Result<std::uint32_t> ElfImage::crc() const {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc_table();
  std::vector<std::uint8_t> chunk(1U << 20U);
  std::uint32_t value = 0xffffffffU;
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(fd_.get(), chunk.data(), chunk.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("pread", "debug file", errno);
    if (got == 0) return ~value;
    for (const std::uint8_t byte : std::span(chunk).first(static_cast<std::size_t>(got)))
      value = kTable[(value ^ byte) & 0xffU] ^ (value >> 8U);
    at += got;
  }
}

}  // namespace nohalt::symbols
