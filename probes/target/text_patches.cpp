// Source: proc_pid_maps(5); proc_pid_mem(5): a write there passes over the mapping's
// protection and, where it is private, goes to a copy.
#include "probes/target/text_patches.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include "probes/target/target_gone.h"

namespace nohalt::target {

namespace {

constexpr int kHex = 16;
constexpr int kDecimal = 10;

std::unexpected<Error> text_changed() {
  return fail(ErrorCode::kRefused, "text-changed",
              "The library's code is not there any more, or not as its file says.",
              "It was unloaded, or another tool changes it: look again with `nohalt plan`.");
}

// One line of the list, read without making anything of it.
struct Line {
  RuntimeRange range;
  std::string_view rights;
  std::uint64_t offset = 0;
  FileId file;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  template <class T>
  T number(int base) {
    T value{};
    const auto [next, error] = std::from_chars(at_, end_, value, base);
    good_ = good_ && error == std::errc{};
    at_ = next;
    return value;
  }
  void pass(char sign) {
    good_ = good_ && at_ != end_ && *at_ == sign;
    if (good_) ++at_;
  }
  std::string_view word(std::size_t length) {
    good_ = good_ && static_cast<std::size_t>(end_ - at_) >= length;
    if (!good_) return {};
    at_ += length;
    return {at_ - length, length};
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  const char* at_;
  const char* end_;
  bool good_ = true;
};

bool parse(std::string_view text, Line& line) {
  constexpr std::size_t kRights = 4;
  Reader reader(text);
  line.range.begin = {reader.number<std::uint64_t>(kHex)};
  reader.pass('-');
  line.range.end = {reader.number<std::uint64_t>(kHex)};
  reader.pass(' ');
  line.rights = reader.word(kRights);
  reader.pass(' ');
  line.offset = reader.number<std::uint64_t>(kHex);
  reader.pass(' ');
  line.file.device_major = reader.number<std::uint32_t>(kHex);
  reader.pass(':');
  line.file.device_minor = reader.number<std::uint32_t>(kHex);
  reader.pass(' ');
  line.file.inode = reader.number<std::uint64_t>(kDecimal);
  return reader.good();
}

std::span<const std::byte> part(const std::array<std::byte, kLongestTextPatch>& bytes,
                                const TextPatch& patch) {
  return std::span(bytes).first(patch.size);
}

}  // namespace

Result<TextPatches> TextPatches::open(pid_t pid, const Memory& memory,
                                      std::span<const TextPatch> patches) {
  if (patches.empty()) return TextPatches(memory, patches, {});
  const std::string path = "/proc/" + std::to_string(pid) + "/maps";
  UniqueFd maps(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!maps.valid()) return fail_on_target("open", path, errno);
  return TextPatches(memory, patches, std::move(maps));
}

void TextPatches::look_at_line(std::string_view text) {
  Line line;
  if (!parse(text, line) || line.rights != "r-xp") return;
  for (std::size_t i = 0; i < patches_.size(); ++i) {
    const TextPatch& patch = patches_[i];
    if (line.range.contains(patch.at) && line.file == patch.file &&
        line.offset + (patch.at - line.range.begin) == patch.offset)
      is_mapped_[i] = true;
  }
}

Status TextPatches::look_at_mappings() {
  std::fill(is_mapped_.begin(), is_mapped_.end(), false);
  off_t position = 0;
  std::size_t kept = 0;  // of a line that was not read to its end
  for (;;) {
    const ssize_t n = ::pread(maps_.get(), text_.data() + kept, text_.size() - kept, position);
    if (n < 0) return fail_errno("pread", "the target's mappings", errno);
    if (n == 0) return {};
    position += n;
    std::string_view rest(text_.data(), kept + static_cast<std::size_t>(n));
    for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      look_at_line(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    kept = rest.size();
    std::memmove(text_.data(), rest.data(), kept);
  }
}

Status TextPatches::check() {
  if (patches_.empty()) return {};
  NOHALT_CHECK(look_at_mappings());
  if (std::find(is_mapped_.begin(), is_mapped_.end(), false) != is_mapped_.end())
    return text_changed();
  for (const TextPatch& patch : patches_) {
    std::array<std::byte, kLongestTextPatch> live{};
    if (!memory_->read(patch.at, std::span(live).first(patch.size)) ||
        !std::ranges::equal(part(live, patch), part(patch.before, patch)))
      return text_changed();
  }
  return {};
}

Status TextPatches::write() const {
  for (std::size_t i = 0; i < patches_.size(); ++i) {
    if (memory_->write(patches_[i].at, part(patches_[i].after, patches_[i]))) continue;
    for (const TextPatch& done : patches_.first(i))
      if (!memory_->write(done.at, part(done.before, done)))
        return fail(ErrorCode::kInternal, "code-half-written",
                    "Some of the library's code was written, and the rest could not be.",
                    "Run `nohalt sweep`.");
    return fail(ErrorCode::kRefused, "code-not-writable",
                "The kernel does not let the library's code be changed.",
                "Choose a place in the program, or in a library that it is linked with.");
  }
  return {};
}

}  // namespace nohalt::target
