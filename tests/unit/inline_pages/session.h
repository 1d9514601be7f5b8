// A child that calls one function over and over, and a session on it.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "probes/target/remote_thread.h"
#include "tests/unit/target/child.h"

namespace nohalt::inline_pages {

struct Session {
  explicit Session(const std::function<int(test::Shared&)>& body) : child(body) {
    child.wait_ready();
    process.emplace(std::move(*target::Process::open(child.pid())));
    lock.emplace(std::move(*target::TargetLock::acquire(*process)));
    before = *target::read_maps(child.pid());
  }

  // Borrows; later calls give the same thread until finish().
  target::RemoteThread& thread() {
    if (!borrowed) {
      auto thread = target::RemoteThread::borrow(*process, *lock);
      EXPECT_TRUE(thread) << thread.error().message;
      borrowed.emplace(std::move(*thread));
    }
    return *borrowed;
  }
  void finish() {
    if (!borrowed) return;
    EXPECT_TRUE(borrowed->finish());
    borrowed.reset();
  }
  [[nodiscard]] bool maps_as_before() const { return *target::read_maps(child.pid()) == before; }

  // A free place of a megabyte far below the libraries.
  [[nodiscard]] RuntimeAddress room() const {
    RuntimeAddress at{0x100000000};
    while (before.overlaps({at, at + (1 << 20)})) at = at + (1 << 24);
    return at;
  }

  test::Child child;
  std::optional<target::Process> process;
  std::optional<target::TargetLock> lock;
  target::Maps before;
  std::optional<target::RemoteThread> borrowed;
};

}  // namespace nohalt::inline_pages
