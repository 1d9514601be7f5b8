#include "src/session/object_classes.h"

namespace nohalt::session {

Result<std::unique_ptr<ObjectClasses>> ObjectClasses::open(
    const Attachment& at, const std::vector<std::string>& debug_dirs) {
  const pid_t pid = at.process.pid();
  NOHALT_TRY(const target::Maps maps, target::read_maps(pid));
  NOHALT_TRY(target::Memory memory, target::Memory::open(pid));
  auto images = std::make_shared<const stacks::UnwindImages>(
      maps, stacks::ImageOptions{.process_folder = "/proc/" + std::to_string(pid),
                                 .debug_dirs = debug_dirs,
                                 .known = at.info.get()});
  return std::unique_ptr<ObjectClasses>(
      new ObjectClasses(at, std::move(memory), std::move(images)));
}

ObjectClasses::ObjectClasses(const Attachment& at, target::Memory memory,
                             std::shared_ptr<const stacks::UnwindImages> images)
    : memory_(std::move(memory)),
      images_(std::move(images)),
      vtables_(*images_, at.info->build_id()),
      dynamic_(*at.info, vtables_, [this](RuntimeAddress from, std::span<std::byte> to) {
        return memory_.read(from, to).has_value();
      }) {}

capture::DynamicClasses ObjectClasses::for_capture() {
  return [this](const symbols::Type* type) { return dynamic_.of(type); };
}

}  // namespace nohalt::session
