// What about a process forbids to read its memory at a hit, though it may be
// patched: looked for before anything is armed, in /proc and in the headers of
// what it loaded.
//
//  - It may put itself under a system call filter later: a read at a hit is a
//    system call (process_vm_readv) that the filter does not know, and may kill
//    the process for. A program that links libseccomp is taken for one that may.
//  - Memory under a protection key: a plain load of it may fault, and what its
//    owner hides even from the own threads is not to be shown by a probe.
#pragma once

#include <string>

#include "probes/program/verifier.h"
#include "probes/target/maps.h"
#include "probes/target/process.h"
#include "src/base/result.h"

namespace nohalt::engines {

struct ReadObstacles {
  std::string filter_library;  // path of the library for filters; empty: none is linked
  bool has_protection_keys = false;
  bool hides_thread_pointer = false;  // rdfsbase is not allowed on this machine
};

[[nodiscard]] Result<ReadObstacles> find_read_obstacles(const target::Process& process,
                                                        const target::Maps& maps);

// Refuses a program that reads memory where that is forbidden. Reasons:
// "may-add-filters", "protection-keys".
[[nodiscard]] Status check_reads(const ReadObstacles& obstacles, const program::Cost& cost);

// Whether a line "ProtectionKey:  1" of /proc/PID/smaps names another key than
// that of ordinary memory. Pure.
[[nodiscard]] bool names_protection_key(std::string_view smaps);

}  // namespace nohalt::engines
