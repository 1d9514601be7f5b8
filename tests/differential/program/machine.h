// Runs translated bodies in this process, with a model behind the runtime's
// entries. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "probes/engines/inline/translate/translate.h"
#include "tests/differential/program/model.h"

namespace nohalt::program_test {

class Machine {
 public:
  Machine();
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // For code that this machine will run: its address and entries.
  [[nodiscard]] inline_translate::Surroundings surroundings() const;
  // The whole of a hit: where the body is for admitted hits, after the model's admission.
  std::uint64_t run(const inline_translate::TranslatedBody& body, Model& model);
  // False once a body did not keep the registers that the ABI promises.
  [[nodiscard]] bool registers_kept() const { return registers_kept_; }

 private:
  std::byte* code_ = nullptr;
  std::byte* writable_ = nullptr;
  bool registers_kept_ = true;
};

}  // namespace nohalt::program_test
