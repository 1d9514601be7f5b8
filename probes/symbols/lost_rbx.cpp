#include "probes/symbols/lost_rbx.h"

#include <elfutils/libdw.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "probes/symbols/die.h"

namespace nohalt::symbols {

namespace {

bool holds_pair(const std::uint8_t* begin, const std::uint8_t* end) {
  constexpr std::array<std::uint8_t, 2> kUndefinedRbx = {7, 3};
  return std::search(begin, end, kUndefinedRbx.begin(), kUndefinedRbx.end()) != end;
}

template <class T>
T load(const std::uint8_t* from) {
  T value{};
  std::memcpy(&value, from, sizeof value);
  return value;
}

// The code that an entry is for, in the encoding that compilers use: relative to
// itself and of 4 bytes in .eh_frame, absolute and of 8 bytes in .debug_frame.
std::optional<LinkRange> range_of(const Dwarf_FDE& entry, const SectionBytes& section,
                                  bool is_exceptions) {
  const auto size = static_cast<std::size_t>(entry.end - entry.start);
  if (size < (is_exceptions ? 8 : 16)) return std::nullopt;
  if (!is_exceptions) {
    const auto begin = load<std::uint64_t>(entry.start);
    return LinkRange{{begin}, {begin + load<std::uint64_t>(entry.start + 8)}};
  }
  const auto at = section.address + static_cast<std::uint64_t>(entry.start - section.bytes.data());
  const std::uint64_t begin =
      at + static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(entry.start)});
  return LinkRange{{begin}, {begin + load<std::uint32_t>(entry.start + 4)}};
}

}  // namespace

void LostRbx::add(const ElfImage& image, std::string_view section) {
  const std::optional<SectionBytes> found = image.section(section);
  if (!found) return;
  const bool is_exceptions = section == ".eh_frame";
  Elf_Data data{};
  data.d_buf = const_cast<std::uint8_t*>(found->bytes.data());
  data.d_size = found->bytes.size();
  data.d_type = ELF_T_BYTE;
  const std::array<unsigned char, EI_NIDENT> ident = {ELFMAG0,    ELFMAG1,     ELFMAG2,   ELFMAG3,
                                                      ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
  Dwarf_Off offset = 0;
  Dwarf_Off next = 0;
  Dwarf_CFI_Entry entry;
  int outcome = 0;
  for (; !anywhere_; offset = next) {
    outcome = dwarf_next_cfi(ident.data(), &data, is_exceptions, offset, &next, &entry);
    if (outcome != 0 || next <= offset) break;
    if (dwarf_cfi_cie_p(&entry)) {
      anywhere_ = holds_pair(entry.cie.initial_instructions, entry.cie.initial_instructions_end);
    } else if (holds_pair(entry.fde.start, entry.fde.end)) {
      const std::optional<LinkRange> range = range_of(entry.fde, *found, is_exceptions);
      if (range && range->begin < range->end && image.is_executable(*range))
        ranges_.push_back(*range);
      else
        anywhere_ = true;
    }
  }
  if (outcome < 0) anywhere_ = true;
}

bool LostRbx::may_be_at(LinkAddress pc) const { return anywhere_ || contains(ranges_, pc); }

}  // namespace nohalt::symbols
