"""Files that a person names behind sudo: they are opened with that person's rights and
not with root's. People are logins here: each is root with a login uid of their own, as
behind sudo."""

import json
import os
import shutil
import tempfile
import unittest
import unittest.mock

import harness
from harness import DENIED, DONE, USAGE, login

LINE = harness.line_of("tests/targets/service.c", "the line most tests probe")
PLACE = f"service.c:{LINE}"
NOBODY = 65534
SECRET = "s3cr3t-that-only-root-may-read"

POLICY = """version: 1
audit: {{ file: {trail} }}
roles:
  - name: all
    members: {{ users: [{nobody}, 0] }}
    may: [plan, log, snap-locals, stack, debuginfo, audit]
    where: {{ run_as: [0] }}
"""


@unittest.skipUnless(harness.logins_can_be_set(), "only root can log in as others")
class FilesBehindSudo(harness.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="nohalt-sudo-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        self.roots = self.make_folder("roots", 0)
        self.mine = self.make_folder("mine", NOBODY)
        self.trail = os.path.join(self.folder, "trail.jsonl")
        self.policy = self.write(self.folder, "policy.yaml",
                                 POLICY.format(trail=self.trail, nobody=NOBODY), 0o644)

    def make_folder(self, name, owner):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        os.chmod(path, 0o755)
        os.chown(path, owner, owner)
        return path

    def write(self, folder, name, text, mode=0o600):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def nohalt(self, *arguments, uid=NOBODY, wrapper=()):
        more = () if "--policy" in arguments else ("--policy", self.policy)
        return harness.run(*arguments, *more, wrapper=(*wrapper, *login(uid)))

    def test_no_index_is_made_where_the_persons_environment_says(self):
        for folder in (self.roots, self.mine):
            with unittest.mock.patch.dict(os.environ, XDG_CACHE_HOME=folder, HOME=folder):
                with harness.Target("service") as target:
                    outcome = self.nohalt("plan", "-p", target.pid, PLACE)
                    self.assertEqual(outcome.status, DONE, outcome)
            self.assertEqual(os.listdir(folder), [])

    def with_home(self):
        """Nobody gets a home, in a view of the machine of their own."""
        users = self.write(self.folder, "passwd", f"root:x:0:0::/root:/bin/sh\n"
                           f"nobody:x:{NOBODY}:{NOBODY}::{self.mine}:/bin/sh\n", 0o644)
        return ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', users)

    def check_unchanged(self, path, text):
        self.assertEqual(harness.read(path), text)
        status = os.stat(path)
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (0, 0o600))

    def test_an_answer_is_not_written_over_a_file_of_roots(self):
        kept = self.write(self.roots, "policy.yaml", "version: 1\n")
        outcome = self.nohalt("list", "-o", kept)
        self.assertEqual(outcome.status, USAGE, outcome)
        self.assertIn("Permission denied", outcome.err)
        self.check_unchanged(kept, "version: 1\n")

    def test_an_answer_is_not_written_over_a_file_of_roots_that_all_may_write(self):
        kept = self.write(self.roots, "open.txt", "kept\n", 0o666)
        outcome = self.nohalt("list", "-o", kept)
        self.assertEqual(outcome.status, USAGE, outcome)
        self.assertEqual(harness.read(kept), "kept\n")

    def test_no_file_is_made_in_a_folder_of_roots(self):
        link = os.path.join(self.mine, "link")
        os.symlink(self.roots, link)
        for name in (os.path.join(self.roots, "new"), os.path.join(link, "new")):
            self.assertEqual(self.nohalt("list", "-o", name).status, USAGE)
        self.assertEqual(os.listdir(self.roots), [])

    def test_an_answer_in_a_folder_of_ones_own_is_ones_own(self):
        mine = os.path.join(self.mine, "list.txt")
        for _ in range(2):
            outcome = self.nohalt("list", "-o", mine)
            self.assertEqual(outcome.status, DONE, outcome)
        status = os.stat(mine)
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (NOBODY, 0o600))

    def test_root_that_logged_in_as_root_writes_where_root_may(self):
        name = os.path.join(self.roots, "list.txt")
        outcome = self.nohalt("list", "-o", name, uid=0)
        self.assertEqual(outcome.status, DONE, outcome)
        self.assertEqual(os.stat(name).st_uid, 0)

    def test_records_and_core_files_go_where_their_person_may_write(self):
        with harness.Target("service", 2, 100) as target:
            for name in ("hit.json", "hit.core"):
                roots = os.path.join(self.roots, name)
                refused = self.nohalt("snap", "-p", target.pid, PLACE, "-o", roots)
                self.assertEqual(refused.status, USAGE, refused)
                mine = os.path.join(self.mine, name)
                outcome = self.nohalt("snap", "-p", target.pid, PLACE, "-o", mine)
                self.assertEqual(outcome.status, DONE, outcome)
                self.assertEqual(os.stat(mine).st_uid, NOBODY)
            self.assertEqual(os.listdir(self.roots), [])

    def test_files_that_only_root_may_read_are_not_told(self):
        secret = self.write(self.roots, "secret", f"{SECRET}: 1\n")
        with harness.Target("service", 1, 100) as target:
            for asked in (("log", "-p", target.pid, "-f", secret),
                          ("policy", "check", secret),
                          ("policy", "test", secret),
                          ("show", secret),
                          ("plan", "-p", target.pid, PLACE, "--policy", secret),
                          ("audit", "verify", "--checkpoint", secret),
                          ("audit", "verify", secret)):
                outcome = self.nohalt(*asked)
                self.assertNotEqual(outcome.status, DONE, outcome)
                self.assertNotIn(SECRET, outcome.out + outcome.err)
                self.assertIn("Permission denied", outcome.err)

    def test_a_debug_folder_that_only_root_may_read_is_not_looked_into(self):
        os.chmod(self.roots, 0o700)
        with harness.Target("service", 1, 100) as target:
            for command in (("plan", "-p", target.pid, PLACE), ("ps", "-p", target.pid)):
                outcome = self.nohalt(*command, "--debug-dir", self.roots)
                self.assertEqual(outcome.status, DENIED, outcome)
                self.assertIn("may not look into", outcome.err)

    def test_a_trail_that_is_named_is_opened_with_ones_own_rights(self):
        kept = self.write(self.roots, "audit.jsonl", "")
        with harness.Target("service", 1, 100) as target:
            outcome = self.nohalt("log", "-p", target.pid, PLACE, "x", "--audit", kept)
        self.assertEqual(outcome.status, DENIED, outcome)
        self.check_unchanged(kept, "")

    def test_to_name_roots_own_trail_is_to_name_what_is_written_anyway(self):
        for _ in range(2):
            outcome = self.nohalt("audit", "show", "--audit", self.trail)
            self.assertEqual(outcome.status, DONE, outcome)
        self.assertIn("audit-read", outcome.out)

    def test_a_copy_of_ones_own_is_signed_by_a_key_of_ones_own_and_roots_is_written_too(self):
        copy = os.path.join(self.mine, "audit.jsonl")
        outcome = self.nohalt("audit", "show", "--audit", copy, wrapper=self.with_home())
        self.assertEqual(outcome.status, DONE, outcome)
        key = os.path.join(self.mine, ".local", "state", "nohalt", "audit.key")
        for path in (copy, key):
            status = os.stat(path)
            self.assertEqual((status.st_uid, status.st_mode & 0o777), (NOBODY, 0o600))

        def checkpoint(path):
            [last] = [line for line in map(json.loads, harness.read(path).splitlines())
                      if line["event"] == "checkpoint"]
            return last["signed"]["key"]

        self.assertNotEqual(checkpoint(copy), checkpoint(self.trail))


if __name__ == "__main__":
    harness.main()
