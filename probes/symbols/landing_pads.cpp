// .eh_frame is a list of CIEs (what a group of functions shares) and FDEs (one
// contiguous piece of code each). A CIE whose augmentation has an 'L' says how
// its FDEs point to their LSDA. An LSDA begins with how its pads are encoded,
// then holds the call-site table: (start, length, landing pad, action), where a
// landing pad of 0 is none.
//
// All tables are read at once: a cold part's pads may lie in the hot part.
//
// Source: Linux Standard Base Core, 10.6 (exception frames); Itanium C++ ABI,
// "Exception Handling Tables", as GCC and Clang write them.
#include "probes/symbols/landing_pads.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

namespace nohalt::symbols {

namespace {

constexpr std::uint8_t kOmitted = 0xff;
constexpr std::uint64_t kMaxLsda = 4U << 20U;

// Reads forward through bytes whose addresses are known. After a failed read,
// failed() holds and every read gives 0.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> bytes, std::uint64_t address)
      : bytes_(bytes), address_(address) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t offset() const { return at_; }
  [[nodiscard]] std::uint64_t address() const { return address_ + at_; }
  [[nodiscard]] bool at_end() const { return at_ >= bytes_.size(); }

  template <class T>
  std::uint64_t fixed() {
    T value{};
    if (failed_ || bytes_.size() - at_ < sizeof(T)) return fail_read();
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  }

  std::uint64_t uleb() { return leb(false); }
  std::uint64_t sleb() { return leb(true); }

  std::string_view text() {
    const std::size_t begin = at_;
    while (!failed_ && fixed<std::uint8_t>() != 0) {
    }
    if (failed_) return {};
    return {reinterpret_cast<const char*>(bytes_.data()) + begin, at_ - begin - 1};
  }

  // A pointer as DW_EH_PE_* says. Absent: one that must be fetched through
  // memory, or is relative to something unknown here.
  std::optional<std::uint64_t> pointer(std::uint8_t encoding) {
    const std::uint64_t base = address();
    std::uint64_t value = 0;
    switch (encoding & 0x0fU) {
      case DW_EH_PE_absptr:
      case DW_EH_PE_udata8:
      case DW_EH_PE_sdata8:
        value = fixed<std::uint64_t>();
        break;
      case DW_EH_PE_uleb128:
        value = uleb();
        break;
      case DW_EH_PE_sleb128:
        value = sleb();
        break;
      case DW_EH_PE_udata2:
        value = fixed<std::uint16_t>();
        break;
      case DW_EH_PE_udata4:
        value = fixed<std::uint32_t>();
        break;
      case DW_EH_PE_sdata2:
        value = fixed<std::int16_t>();
        break;
      case DW_EH_PE_sdata4:
        value = fixed<std::int32_t>();
        break;
      default:
        fail_read();
    }
    if (failed_ || value == 0) return failed_ ? std::nullopt : std::optional(value);
    if ((encoding & 0x70U) == DW_EH_PE_pcrel) return value + base;
    if ((encoding & 0x70U) == 0) return value;
    return std::nullopt;
  }

  void skip(std::uint64_t count) {
    if (failed_ || count > bytes_.size() - at_)
      fail_read();
    else
      at_ += count;
  }

  // The next `count` bytes as a reader of their own.
  Reader part(std::uint64_t count) {
    const Reader inner(bytes_.subspan(at_, std::min<std::uint64_t>(count, bytes_.size() - at_)),
                       address());
    skip(count);
    return inner;
  }

 private:
  std::uint64_t fail_read() {
    failed_ = true;
    return 0;
  }

  std::uint64_t leb(bool is_signed) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const std::uint64_t byte = fixed<std::uint8_t>();
      if (failed_) return 0;
      if (shift < 64) value |= (byte & 0x7fU) << shift;
      if ((byte & 0x80U) != 0) continue;
      if (is_signed && (byte & 0x40U) != 0 && shift + 7 < 64)
        value |= ~std::uint64_t{0} << (shift + 7);
      return value;
    }
    return fail_read();
  }

  std::span<const std::uint8_t> bytes_;
  std::uint64_t address_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

struct Cie {
  bool has_data = false;
  std::uint8_t pointer_encoding = DW_EH_PE_absptr;
  std::uint8_t lsda_encoding = kOmitted;
};

std::optional<Cie> read_cie(Reader entry) {
  Cie cie;
  const std::uint64_t version = entry.fixed<std::uint8_t>();
  const std::string_view augmentation = entry.text();
  entry.uleb();  // code alignment
  entry.sleb();  // data alignment
  if (version == 1)
    entry.fixed<std::uint8_t>();
  else
    entry.uleb();
  if (entry.failed() || (version != 1 && version != 3)) return std::nullopt;
  if (augmentation.empty()) return cie;
  if (augmentation.front() != 'z') return std::nullopt;
  cie.has_data = true;
  entry.uleb();
  for (const char letter : augmentation.substr(1)) {
    if (letter == 'R')
      cie.pointer_encoding = static_cast<std::uint8_t>(entry.fixed<std::uint8_t>());
    else if (letter == 'L')
      cie.lsda_encoding = static_cast<std::uint8_t>(entry.fixed<std::uint8_t>());
    else if (letter == 'P') {
      const auto encoding = static_cast<std::uint8_t>(entry.fixed<std::uint8_t>());
      std::ignore = entry.pointer(encoding & 0x0fU);
    } else if (letter != 'S' && letter != 'B') {
      return std::nullopt;
    }
  }
  return entry.failed() ? std::nullopt : std::optional(cie);
}

bool read_lsda(const ElfImage& image, std::uint64_t lsda, std::uint64_t function,
               std::vector<LinkAddress>& pads) {
  const std::vector<std::uint8_t> bytes = image.read_up_to({lsda}, kMaxLsda);
  Reader reader(bytes, lsda);
  std::uint64_t base = function;
  const auto base_encoding = static_cast<std::uint8_t>(reader.fixed<std::uint8_t>());
  if (base_encoding != kOmitted) {
    const std::optional<std::uint64_t> start = reader.pointer(base_encoding);
    if (!start) return false;
    base = *start;
  }
  if (reader.fixed<std::uint8_t>() != kOmitted) reader.uleb();  // the type table is not needed
  const auto encoding = static_cast<std::uint8_t>(reader.fixed<std::uint8_t>());
  const std::uint64_t length = reader.uleb();
  if (reader.failed() || length > bytes.size() - reader.offset()) return false;
  Reader table = reader.part(length);
  while (!table.at_end()) {
    std::ignore = table.pointer(encoding);
    std::ignore = table.pointer(encoding);
    const std::optional<std::uint64_t> pad = table.pointer(encoding);
    table.uleb();
    if (table.failed() || !pad) return false;
    if (*pad != 0) pads.push_back({base + *pad});
  }
  return true;
}

// One FDE's pads.
bool read_fde(const ElfImage& image, const Cie& cie, Reader entry, std::vector<LinkAddress>& pads) {
  const std::optional<std::uint64_t> begin = entry.pointer(cie.pointer_encoding);
  std::ignore = entry.pointer(cie.pointer_encoding & 0x0fU);
  if (!begin || entry.failed()) return false;
  if (!cie.has_data || cie.lsda_encoding == kOmitted) return true;
  entry.uleb();
  const std::optional<std::uint64_t> lsda = entry.pointer(cie.lsda_encoding);
  if (!lsda) return false;
  return *lsda == 0 || read_lsda(image, *lsda, *begin, pads);
}

}  // namespace

std::optional<std::vector<LinkAddress>> read_landing_pads(const ElfImage& image) {
  std::vector<LinkAddress> pads;
  const std::optional<SectionBytes> section = image.section(".eh_frame");
  if (!section) return pads;
  Reader frames(section->bytes, section->address);
  std::map<std::size_t, Cie> cies;
  while (!frames.at_end()) {
    const std::size_t begin = frames.offset();
    std::uint64_t length = static_cast<std::uint32_t>(frames.fixed<std::uint32_t>());
    if (length == 0xffffffffU) length = frames.fixed<std::uint64_t>();
    if (frames.failed()) return std::nullopt;
    if (length == 0) continue;
    if (length > section->bytes.size() - frames.offset()) return std::nullopt;
    const std::size_t id_at = frames.offset();
    Reader entry = frames.part(length);
    const auto id = static_cast<std::uint32_t>(entry.fixed<std::uint32_t>());
    if (entry.failed()) return std::nullopt;
    if (id == 0) {
      const std::optional<Cie> cie = read_cie(entry);
      if (!cie) return std::nullopt;
      cies.emplace(begin, *cie);
      continue;
    }
    const auto cie = id > id_at ? cies.end() : cies.find(id_at - id);
    if (cie == cies.end() || !read_fde(image, cie->second, entry, pads)) return std::nullopt;
  }
  std::ranges::sort(pads);
  pads.erase(std::ranges::unique(pads).begin(), pads.end());
  return pads;
}

}  // namespace nohalt::symbols
