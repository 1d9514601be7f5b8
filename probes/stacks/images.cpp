#include "probes/stacks/images.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <filesystem>

#include "probes/runtime/layout.h"
#include "probes/stacks/vdso.h"

namespace nohalt::stacks {

namespace {

constexpr std::size_t kMaxImages = 1024;
constexpr const char* kVdso = "[vdso]";

std::string path_of(const UniqueFd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

UniqueFd open_if_inode(const std::string& path, std::uint64_t inode) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  return facts.st_ino == inode ? std::move(file) : UniqueFd{};
}

bool is_swapped_page(const target::Mapping& mapping) {
  return mapping.executable && mapping.path == std::string("/memfd:") + runtime::kPageName;
}

}  // namespace

const symbols::UnwindTable* Image::table(const ImageOptions& options) {
  if (!std::exchange(is_table_read_, true)) {
    auto table = symbols::UnwindTable::open(path_, name_, options.debug_dirs);
    if (table) table_ = std::move(*table);
  }
  return table_.get();
}

const symbols::DebugInfo* Image::debug_info(const ImageOptions& options) {
  const symbols::UnwindTable* own = table(options);
  if (own == nullptr) return nullptr;
  if (options.known != nullptr && !own->build_id().empty() &&
      options.known->build_id() == own->build_id())
    return options.known;
  if (!std::exchange(is_info_read_, true)) {
    auto info = own->debug_info();
    if (info) info_ = std::move(*info);
  }
  return info_.get();
}

// A page that a probe changed is mapped from elsewhere, in the midst of its
// program's text: it stands for the page of the file that it took the place of.
UnwindImages::UnwindImages(const target::Maps& maps, ImageOptions options)
    : options_(std::move(options)) {
  for (const target::Mapping& mapping : maps.all()) {
    if (!mapping.executable) continue;
    Stretch stretch{mapping.range, mapping.offset, nullptr};
    if (!is_swapped_page(mapping)) {
      stretch.image = open(mapping);
    } else if (!stretches_.empty() && stretches_.back().range.end == mapping.range.begin) {
      stretch.image = stretches_.back().image;
      stretch.offset = stretches_.back().offset + stretches_.back().range.size();
    }
    stretches_.push_back(stretch);
  }
  for (const target::Mapping& mapping : maps.all()) {
    if (!mapping.readable || mapping.writable || mapping.executable) continue;
    if (Image* image = opened(mapping))
      constants_.push_back({mapping.range, mapping.offset, image});
  }
}

Image* UnwindImages::opened(const target::Mapping& mapping) const {
  for (const auto& [first, image] : images_)
    if (first.file == mapping.file && first.path == mapping.path) return image.get();
  return nullptr;
}

Image* UnwindImages::open(const target::Mapping& mapping) {
  const bool is_vdso = mapping.path == kVdso;
  if (!is_vdso && mapping.anonymous()) return nullptr;
  if (Image* image = opened(mapping)) return image;
  if (images_.size() >= kMaxImages) return nullptr;
  UniqueFd file;
  if (!is_vdso) {
    file = open_file(mapping);
  } else if (auto made = vdso_file(options_.vdso)) {
    file = std::move(*made);
  }
  if (!file.valid()) return nullptr;
  images_.emplace_back(mapping, std::make_unique<Image>(path_of(file), mapping.path));
  files_.push_back(std::move(file));
  return images_.back().second.get();
}

// The kernel's own links need rights that not everybody has; a path is the
// target's claim, so that the inode decides. Overlay file systems number their
// files differently, so that the link to the executable is taken as it is.
UniqueFd UnwindImages::open_file(const target::Mapping& mapping) const {
  const std::string& folder = options_.process_folder;
  if (folder.empty()) return open_if_inode(mapping.path, mapping.file.inode);
  std::error_code error;
  const std::string exe = std::filesystem::read_symlink(folder + "/exe", error).string();
  if (exe == mapping.path + (mapping.deleted ? " (deleted)" : "")) {
    UniqueFd file(::open((folder + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    if (file.valid()) return file;
  }
  std::array<char, 48> range{};
  std::snprintf(range.data(), range.size(), "%" PRIx64 "-%" PRIx64, mapping.range.begin.value,
                mapping.range.end.value);
  UniqueFd file = open_if_inode(folder + "/map_files/" + range.data(), mapping.file.inode);
  return file.valid() ? std::move(file)
                      : open_if_inode(folder + "/root" + mapping.path, mapping.file.inode);
}

const UnwindImages::Stretch* UnwindImages::stretch_at(const std::vector<Stretch>& stretches,
                                                      RuntimeAddress address) {
  const auto after = std::ranges::upper_bound(stretches, address, {},
                                              [](const Stretch& s) { return s.range.begin; });
  if (after == stretches.begin() || !std::prev(after)->range.contains(address)) return nullptr;
  return &*std::prev(after);
}

bool UnwindImages::is_code(RuntimeAddress address) const {
  return stretch_at(stretches_, address) != nullptr;
}

std::optional<CodePlace> UnwindImages::find(RuntimeAddress address) const {
  const Stretch* stretch = stretch_at(stretches_, address);
  if (stretch == nullptr || stretch->image == nullptr) return std::nullopt;
  const symbols::UnwindTable* table = stretch->image->table(options_);
  if (table == nullptr) return std::nullopt;
  const auto link = table->code_at(stretch->offset + (address - stretch->range.begin));
  if (!link) return std::nullopt;
  return CodePlace{stretch->image, *link, {address.value - link->value}};
}

std::vector<CodePlace> UnwindImages::files() const {
  std::vector<CodePlace> places;
  for (const Stretch& stretch : stretches_) {
    const bool is_known = std::ranges::any_of(
        places, [&](const CodePlace& place) { return place.image == stretch.image; });
    if (is_known) continue;
    // A segment may begin in the midst of its first page, and end in that of its last.
    for (const std::uint64_t into :
         {std::uint64_t{0}, stretch.range.size() / 2, stretch.range.size() - 1}) {
      const auto place = find(stretch.range.begin + into);
      if (!place) continue;
      places.push_back(*place);
      break;
    }
  }
  return places;
}

std::optional<ProbeCode> UnwindImages::probe_code(RuntimeAddress address) const {
  return options_.probe_code ? options_.probe_code(address) : std::nullopt;
}

std::vector<std::uint8_t> UnwindImages::constants(RuntimeAddress address,
                                                  std::uint64_t size) const {
  const Stretch* stretch = stretch_at(constants_, address);
  if (stretch == nullptr) stretch = stretch_at(stretches_, address);
  if (stretch == nullptr || stretch->image == nullptr) return {};
  const symbols::UnwindTable* table = stretch->image->table(options_);
  if (table == nullptr) return {};
  return table->constants_at(stretch->offset + (address - stretch->range.begin),
                             std::min(size, stretch->range.end - address));
}

const symbols::UnwindTable& UnwindImages::table(const CodePlace& place) const {
  return *place.image->table(options_);
}

const symbols::DebugInfo* UnwindImages::debug_info(const CodePlace& place) const {
  return place.image->debug_info(options_);
}

}  // namespace nohalt::stacks
