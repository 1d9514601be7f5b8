"""Places in shared libraries: found without naming the library, probed in all files that have
a copy of the line, shown with the file and build they came from, and off without a trace."""

import json
import os
import subprocess
import tempfile
import unittest.mock

import harness
from harness import DONE, REFUSED, USAGE

SOURCES = os.path.join(harness.TOP, "tests/targets/libraries")
_folder = tempfile.TemporaryDirectory(prefix="nohalt-libraries-")
SHOP = os.path.join(_folder.name, "shop")
PRICE = os.path.join(_folder.name, "libprice.so.1")
PLUGIN = os.path.join(_folder.name, "libbonus.so")
NAMESAKE = os.path.join(_folder.name, "namesake.so")


def line(file, text):
    return f"{file}:{harness.line_of('tests/targets/libraries/' + file, text)}"


def build_all(level, pie="-pie"):
    def build(*arguments):
        subprocess.run(["g++", level, "-g", "-std=c++20", *arguments], check=True, timeout=120,
                       cwd=SOURCES)
    build("-fPIC", "-shared", "-Wl,--build-id", "-Wl,-soname,libprice.so.1", "price.cpp", "-o", PRICE)
    build("-fPIC", "-shared", "-Wl,--build-id", "plugin.cpp", "-o", PLUGIN)
    build("-fPIC", "-shared", "-Wl,-soname,libprice.so.1", "plugin.cpp", "-o", NAMESAKE)
    build(pie, "-fPIE" if pie == "-pie" else "-fno-pie", "shop.cpp", PRICE, f"-Wl,-rpath,{_folder.name}",
          "-ldl", "-o", SHOP)


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, timeout=20).stdout
    return notes.split("Build ID: ")[1].split()[0]


def setUpModule():
    build_all("-Og")


class Libraries(harness.TestCase):
    def log(self, target, *arguments, hits=20):
        before = harness.Footprint(target.pid)
        outcome = harness.run("log", "-p", target.pid, *arguments, "--hits", hits, "--limit", "500/s",
                              "--cpu", "100%", "--format", "json")
        self.assertEqual(outcome.status, DONE, outcome)
        self.assert_proven_clean(self.receipt_of(outcome))
        self.assert_unharmed(before, target.pid)
        return outcome.records("log")

    def test_a_line_of_a_library_is_found_without_naming_it(self):
        with harness.Target(SHOP) as target:
            for record in self.log(target, line("price.cpp", "the library's line"),
                                   "{item} {count} {total} {asked}"):
                item = record["values"]["item"]["value"]
                self.assertEqual(record["values"]["count"]["value"], 3)
                self.assertEqual(record["values"]["total"]["value"],
                                 {"apple": 1200, "pomegranate": 2640}[item])
                self.assertEqual(record["values"]["asked"]["state"], "exact")
                self.assertEqual(record["module"], PRICE)
                self.assertEqual(record["module_build_id"], build_id(PRICE))
                self.assertEqual(record["build_id"], build_id(SHOP))
                self.assertTrue(record["function"].endswith("quote"), record["function"])
            self.assert_right_end(target)

    def test_a_record_of_the_program_names_no_library(self):
        with harness.Target(SHOP) as target:
            for record in self.log(target, line("shop.cpp", "the program's line"), "{price}"):
                self.assertNotIn("module", record)
            self.assert_right_end(target)

    def test_a_line_that_both_files_have_is_probed_in_both(self):
        with harness.Target(SHOP) as target:
            records = self.log(target, line("price.h", "the shared line"), "{cents}", hits=40)
            self.assertEqual({record.get("module") for record in records}, {None, PRICE})
            for record in records:
                wanted = {1200, 2640} if "module" in record else {3}
                self.assertIn(record["values"]["cents"]["value"], wanted)
            alone = self.log(target, "libprice!" + line("price.h", "the shared line"), "{cents}")
            self.assertEqual({record["module"] for record in alone}, {PRICE})
            self.assert_right_end(target)

    def test_what_a_killed_tool_left_in_both_files_is_swept(self):
        with harness.Target(SHOP) as target:
            before = harness.Footprint(target.pid)
            with harness.Logging(target.pid, line("price.h", "the shared line"), "{cents}") as log:
                log.wait_records(4)
                log.process.kill()
                log.process.wait(10)
            outcome = harness.run("sweep", "-p", target.pid, seconds=60)
            self.assertEqual(outcome.status, DONE, outcome)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_an_object_of_a_librarys_own_class_is_shown_as_what_it_is(self):
        with harness.Target(SHOP) as target:
            outcome = harness.run("snap", "-p", target.pid, "libprice.so.1!quote")
            self.assertEqual(outcome.status, DONE, outcome)
            self.assertIn("Discount", outcome.out)
            self.assertIn("percent = 20", outcome.out)
            self.assert_right_end(target)

    def test_a_librarys_thread_local_is_no_other_value(self):
        with harness.Target(SHOP) as target:
            outcome = harness.run("log", "-p", target.pid, line("price.cpp", "the library's line"),
                                  "{asked_here}")
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assertIn("thread-local, in a library", outcome.err)
            self.assert_right_end(target)

    def test_plan_names_the_file_of_each_place(self):
        with harness.Target(SHOP) as target:
            outcome = harness.run("plan", "-p", target.pid, line("price.h", "the shared line"),
                                  "--format", "json")
            sites = json.loads(outcome.out)["places"][0]["sites"]
            self.assertEqual({site.get("module") for site in sites}, {None, PRICE})

    def test_every_copy_is_found_with_an_index_and_without(self):
        """None, made by this run, and used by this run: one answer, also to what is nowhere."""
        asked = [line("price.h", "the shared line"), line("price.cpp", "the library's line"), "quote",
                 "quotes", "price.cc:1"]
        with harness.Target(SHOP) as target, tempfile.TemporaryDirectory() as cache:
            def answers(**settings):
                with unittest.mock.patch.dict(os.environ, XDG_CACHE_HOME=cache, **settings):
                    return [(outcome.status, outcome.out, outcome.err) for outcome in
                            (harness.run("plan", "-p", target.pid, place, "--format", "json")
                             for place in asked)]
            without = answers(NOHALT_NO_CACHE="1")
            self.assertEqual(os.listdir(cache), [])
            self.assertEqual(answers(), without)
            folder = os.path.join(cache, "nohalt/index")
            self.assertTrue(any(name.startswith(build_id(PRICE)) for name in os.listdir(folder)))
            self.assertEqual(answers(), without)
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), "r+b") as file:
                    file.seek(-20, os.SEEK_END)
                    file.write(b"not what was kept")
            self.assertEqual(answers(), without)
            self.assertEqual([status for status, _, _ in without], [DONE] * 3 + [USAGE] * 2)

    def test_a_library_that_may_go_takes_a_stop(self):
        with harness.Target(SHOP, PLUGIN) as target:
            before = harness.Footprint(target.pid)
            outcome = harness.run("log", "-p", target.pid, line("plugin.cpp", "the plugin's line"),
                                  "bonus")
            self.assertEqual(outcome.status, REFUSED, outcome)
            self.assertIn("may-be-unloaded", outcome.err)
            self.assertIn("--allow-stop places it", outcome.err)
            self.assert_unharmed(before, target.pid)
            self.assert_right_end(target)

    def test_a_preloaded_library_is_not_believed_to_stay(self):
        """The environment may say anything, and what is preloaded may be opened and closed too."""
        with harness.Target(SHOP, environment={"LD_PRELOAD": PLUGIN}) as target:
            outcome = harness.run("log", "-p", target.pid, line("plugin.cpp", "the plugin's line"),
                                  "bonus")
            self.assertEqual(outcome.status, REFUSED, outcome)
            self.assertIn("may-be-unloaded", outcome.err)
            self.assert_right_end(target)

    def test_a_plugin_that_calls_itself_as_the_library_is_not_taken_for_it(self):
        with harness.Target(SHOP, NAMESAKE) as target:
            for place in ("bonus", "quote"):
                outcome = harness.run("log", "-p", target.pid, place, "x")
                self.assertEqual(outcome.status, REFUSED, outcome)
                self.assertIn("may-be-unloaded", outcome.err)
            self.assert_right_end(target)

    def test_an_unknown_library_is_said_with_those_that_are(self):
        with harness.Target(SHOP) as target:
            outcome = harness.run("plan", "-p", target.pid, "libcost.so!quote")
            self.assertEqual(outcome.status, USAGE, outcome)
            self.assertIn("libprice.so.1", outcome.out + outcome.err)


if __name__ == "__main__":
    harness.main()
