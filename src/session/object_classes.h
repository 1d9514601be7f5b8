// What is known of a target's classes before it is probed: its files, their vtables, and
// what an object of a class may really be.
//
// Threading: one thread.
#pragma once

#include <map>
#include <memory>

#include "probes/classes/dynamic_classes.h"
#include "probes/classes/vtables.h"
#include "probes/stacks/images.h"
#include "probes/target/memory.h"
#include "src/session/attach.h"

namespace nohalt::session {

class ObjectClasses {
 public:
  // `at` must outlive it.
  [[nodiscard]] static Result<std::unique_ptr<ObjectClasses>> open(const Attachment& at);
  ObjectClasses(const ObjectClasses&) = delete;
  ObjectClasses& operator=(const ObjectClasses&) = delete;

  [[nodiscard]] std::shared_ptr<const stacks::UnwindImages> images() const { return images_; }
  [[nodiscard]] const classes::Vtables& vtables() const { return vtables_; }
  // As this module knows them; it must not outlive this.
  [[nodiscard]] capture::DynamicClasses for_capture(const symbols::DebugInfo& info);

 private:
  ObjectClasses(target::Memory memory, std::shared_ptr<const stacks::UnwindImages> images);

  target::Memory memory_;
  std::shared_ptr<const stacks::UnwindImages> images_;
  classes::Vtables vtables_;
  std::map<const symbols::DebugInfo*, classes::DynamicClasses> by_module_;
};

}  // namespace nohalt::session
