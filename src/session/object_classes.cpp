#include "src/session/object_classes.h"

namespace nohalt::session {

Result<std::unique_ptr<ObjectClasses>> ObjectClasses::open(const Attachment& at) {
  NOHALT_TRY(target::Memory memory, target::Memory::open(at.process.pid()));
  return std::unique_ptr<ObjectClasses>(new ObjectClasses(std::move(memory), at.modules.images()));
}

ObjectClasses::ObjectClasses(target::Memory memory,
                             std::shared_ptr<const stacks::UnwindImages> images)
    : memory_(std::move(memory)), images_(std::move(images)), vtables_(*images_) {}

capture::DynamicClasses ObjectClasses::for_capture(const symbols::DebugInfo& info) {
  const auto read = [this](RuntimeAddress from, std::span<std::byte> to) {
    return memory_.read(from, to).has_value();
  };
  classes::DynamicClasses& known =
      by_module_.try_emplace(&info, info, vtables_, read).first->second;
  return [&known](const symbols::Type* type) { return known.of(type); };
}

}  // namespace nohalt::session
