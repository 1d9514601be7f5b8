"""Debug information in several files: .dwo files beside the program, and what dwz moved
to a file that programs share."""

import os
import subprocess
import tempfile

import harness
from harness import DONE, UNLIMITED, USAGE

SOURCES = {
    "s.h": """struct box { int width, height; const char *name; int parts[3]; };
extern volatile int calls;
static inline int square(int v, const struct box *b) {
  int r = v * v + b->width;
  calls += r;
  return r;
}
""",
    "a.c": """#include <stdio.h>
#include <unistd.h>
#include "s.h"
int other(int n, const struct box *b);
__attribute__((noipa)) int work(int n, const struct box *b) { return square(n, b) + 1; }
int main(int argc, char **argv) {
  struct box b = {3, 4, "wood", {1, 2, 3}};
  puts("ready");
  fflush(stdout);
  for (;;) {
    usleep(1000);
    calls += work(argc, &b) + other(argc, &b);
  }
}
""",
    "b.c": """#include "s.h"
volatile int calls;
__attribute__((noipa)) int other(int n, const struct box *b) {
  calls += n + b->parts[1];
  int s = square(n + 3, b);
  return s * 2;
}
""",
}
MESSAGE = "{b->width} {b->height} {b->name} {b->parts} {n}"


class DebugFiles(harness.TestCase):
    def made(self, command):
        """A folder with the sources, in which the command was run."""
        folder = tempfile.TemporaryDirectory(prefix="nohalt-debug-files-")
        self.addCleanup(folder.cleanup)
        for name, text in SOURCES.items():
            with open(os.path.join(folder.name, name), "w") as source:
                source.write(text)
        subprocess.run(command, shell=True, check=True, timeout=60, cwd=folder.name)
        return folder.name

    def split(self, version):
        return self.made(f"gcc -O2 -gsplit-dwarf -gdwarf-{version} -c a.c b.c && gcc a.o b.o -o p")

    def shared(self):
        return self.made("gcc -O2 -gdwarf-4 a.c b.c -o p && gcc -O1 -gdwarf-4 a.c b.c -o p2 && "
                         "dwz -m common.debug p p2")

    def message_of(self, folder):
        with harness.Target(os.path.join(folder, "p")) as target:
            outcome = harness.run("log", "-p", target.pid, "other", MESSAGE, "--hits", 1,
                                  "--format", "json", *UNLIMITED)
        self.assertEqual(outcome.status, DONE, outcome)
        return outcome.records("log")[0]["message"]

    def test_values_are_right_wherever_the_debug_information_is(self):
        for version in (4, 5):
            with self.subTest(split=version):
                self.assertEqual(self.message_of(self.split(version)), "3 4 wood [1, 2, 3] 1")
        with self.subTest(shared=True):
            self.assertEqual(self.message_of(self.shared()), "3 4 wood [1, 2, 3] 1")

    def test_a_missing_split_file_is_told_where_a_function_may_be_inlined_in_its_code(self):
        for version in (4, 5):
            folder = self.split(version)
            os.remove(os.path.join(folder, "b.dwo"))
            with harness.Target(os.path.join(folder, "p")) as target:
                plan = harness.run("plan", "-p", target.pid, "square")
                self.assertEqual(plan.status, DONE, plan)
                self.assertIn("no-split-debug-file: ", plan.out)
                self.assertIn("b.dwo", plan.out)
                log = harness.run("log", "-p", target.pid, "square", "{v}", "--hits", 1,
                                  "--format", "json", *UNLIMITED)
                self.assertEqual(log.status, DONE, log)
                told = [note["message"] for note in log.records("notice")
                        if note["reason"] == "no-split-debug-file"]
                self.assertEqual(len(told), 1, log)
                self.assertIn("b.dwo", told[0])
                gone = harness.run("plan", "-p", target.pid, "other")
                self.assertEqual(gone.status, USAGE, gone)
                self.assertIn("no-split-debug-file: ", gone.out)

    def test_without_the_shared_file_nothing_is_probed(self):
        folder = self.shared()
        os.remove(os.path.join(folder, "common.debug"))
        with harness.Target(os.path.join(folder, "p")) as target:
            for place in ("square", "b.c:5"):
                plan = harness.run("plan", "-p", target.pid, place)
                self.assertEqual(plan.status, USAGE, plan)
                self.assertIn("moved to common.debug, which is not there", plan.err)


if __name__ == "__main__":
    harness.main()
