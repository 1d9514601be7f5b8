// The files of a process that places can be in: its program, and the libraries that
// have debug information.
//
// A place is looked for in all of them: the copies of one inline function may be in
// several. `libprice.so!file.cpp:12` asks for one file only.
// Ownership: a Module lives as long as its Modules. Threading: one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/access/right.h"
#include "probes/engines/inline/mapped_image.h"
#include "probes/stacks/images.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/process.h"
#include "src/base/result.h"

namespace nohalt::session {

struct Module {
  std::string path;  // as mapped
  engines::ProbedFile file;
  std::vector<policy::Right> extra_rights;  // that its debug files ask for

  [[nodiscard]] const symbols::DebugInfo& info() const { return *file.info; }
  [[nodiscard]] bool is_library() const { return file.bias.has_value(); }
};

struct ModuleSite {
  std::size_t module = 0;  // index into all()
  symbols::LineSite line;
};

// Code that a location may mean too, and where no probe is.
struct PlaceGap {
  std::string reason;  // stable kebab-case token
  std::string text;    // a sentence
  std::string hint;
};

struct FoundPlaces {
  std::vector<ModuleSite> sites;  // with the copies that the compiler made of a line
  std::vector<PlaceGap> gaps = {};
};

class Modules {
 public:
  // `program` must outlive it.
  [[nodiscard]] static Result<Modules> open(const target::Process& process,
                                            const symbols::DebugInfo& program, std::string path,
                                            const std::vector<std::string>& debug_dirs);

  // The program first.
  [[nodiscard]] std::vector<Module>& all() { return all_; }
  [[nodiscard]] const std::vector<Module>& all() const { return all_; }
  [[nodiscard]] std::vector<engines::ProbedFile> files() const;
  // Every file with code, with debug information or not.
  [[nodiscard]] std::shared_ptr<const stacks::UnwindImages> images() const { return images_; }

  // Errors: those of DebugInfo::resolve, no-such-library, and ambiguous-file where the
  // files that are meant by one name differ from module to module; too-many-places.
  [[nodiscard]] Result<FoundPlaces> resolve(std::string_view location) const;

 private:
  Modules() = default;

  std::shared_ptr<const stacks::UnwindImages> images_;
  std::vector<Module> all_;
};

}  // namespace nohalt::session
