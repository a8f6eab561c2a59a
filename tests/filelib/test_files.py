"""Files through the real server and the real client."""
import os
import subprocess
import threading
import unittest

from library import (DONE, EXISTS, NOT_FOUND, REFUSED, LibraryTest, Talk,
                     digest, file_digest, main)

GIB = 1 << 30

# Every byte that a file name can hold is in one of them.
STRANGE = [b" ", b"a b", b"-", b"--force", b"-rf", b"~", b"*", b"?", b"[a]",
           b"#", b"##", b"%", b"%2e%2e", b"'", b'"', b"\\", b"\n", b"a\nb\r",
           b"\x1b[2J", b"\t", b"\xff\xfe", "grüße".encode(), "文件".encode(),
           b"OK", b"200 0 : bye", b"LIST", b"x" * 255, b"\xff" * 255,
           b"\\\n\\", b"nul", b"a:b", b"|;&$(ls)`ls`"]
STRANGE += [bytes([byte]) + b"_" for byte in range(1, 256) if byte not in b"/."]

CONTENTS = {
    "empty": b"", "one": b"x", "nul": b"\0", "hashes": b"##", "ok": b"OK",
    "protocol": b"COMMIT " + b"0" * 64 + b"\nQUIT\n200 0 : bye\n" * 50,
    "binary": bytes(range(256)) * 1000,
    "edge": b"z" * (1 << 20), "past": b"z" * ((1 << 20) + 1)}


class Files(LibraryTest):
    def test_what_comes_back_is_what_went_up(self):
        self.start()
        for name, data in CONTENTS.items():
            self.local.joinpath(name).write_bytes(data)
            self.assert_status(DONE, "put", name)
            self.assertEqual(self.root.joinpath(name).read_bytes(), data)
            self.assert_status(DONE, "get", name, "back")
            self.assertEqual(self.local.joinpath("back").read_bytes(), data)
            self.local.joinpath("back").unlink()
        self.assertEqual(self.listed(), {name: len(data)
                                         for name, data in CONTENTS.items()})

    def test_files_that_were_there_before_come_whole(self):
        self.start()
        for name, data in CONTENTS.items():
            self.root.joinpath(name).write_bytes(data)
        self.assert_status(DONE, "mget", "*")
        for name, data in CONTENTS.items():
            self.assertEqual(self.local.joinpath(name).read_bytes(), data)

    def test_a_read_only_library_gives_and_does_not_take(self):
        self.root.joinpath("x").write_bytes(b"hello")
        self.start("--read-only", "--allow", "delete,rename,replace")
        self.assert_status(DONE, "get", "x")
        for words in (["put", "x", "y"], ["put", "--force", "x"],
                      ["delete", "x"], ["rename", "x", "y"]):
            self.assert_status(REFUSED, *words)
        self.assertEqual(self.names(), [b"x"])

    def test_every_name_travels(self):
        self.start("--allow", "delete,rename")
        local = os.fsencode(self.local)
        for name in STRANGE:
            with open(os.path.join(local, b"file"), "wb") as file:
                file.write(name)
            self.run_name(DONE, b"put", b"--", b"file", name)
        self.assertEqual(self.names(), sorted(set(STRANGE)))
        listing = self.run_name(DONE, b"list").stdout
        self.assertEqual(listing, b"".join(
            name + b"\n" for name in sorted(set(STRANGE))))
        for name in STRANGE[:40]:
            self.run_name(DONE, b"get", b"--", name, b"back")
            back = os.path.join(local, b"back")
            with open(back, "rb") as file:
                self.assertEqual(file.read(), name)
            os.unlink(back)
            self.run_name(DONE, b"stat", b"--", name)
            self.run_name(DONE, b"rename", b"--", name, b"other")
            self.run_name(DONE, b"rename", b"--", b"other", name)

    def test_names_in_complaints_do_not_command_the_terminal(self):
        self.root.joinpath("\x1b[2Jx").touch()
        self.start()
        self.assert_status(DONE, "get", "\x1b[2Jx")
        for words in (["get", "\x1b[2Jx"], ["mget", "*x"],
                      ["put", "\x1b[2Jx"], ["put", "\x1b[2Jnone"],
                      ["\x1b[2Jnone"]):
            errors = self.run_client(*words).stderr
            self.assertIn(rb"\x1b[2J", errors)
            self.assertNotIn(b"\x1b", errors)

    def run_name(self, status, *words):
        done = subprocess.run(self.command(*()) + list(words),
                              cwd=self.local, check=False,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, status, (words, done.stderr))
        return done

    def test_a_gibibyte_goes_up_and_comes_down(self):
        self.start("--quiet")
        path = self.local / "large"
        with open(path, "wb") as file:
            file.truncate(GIB)
            for at in (0, GIB // 3, GIB - 9):
                file.seek(at)
                file.write(b"something")
        sum_before = file_digest(path)
        self.assert_status(DONE, "put", "large")
        path.unlink()
        self.assert_status(DONE, "get", "large")
        self.assertEqual(path.stat().st_size, GIB)
        self.assertEqual(file_digest(path), sum_before)
        self.assertEqual(self.talk().ask("STAT large").keys["size"],
                         str(GIB))

    def test_what_is_no_name_is_refused(self):
        self.start("--allow", "delete,rename,replace")
        self.local.joinpath("x").touch()
        for words in (["put", "x", "../x"], ["put", "x", ""], ["get", "../x"],
                      ["put", "x", "."], ["stat", "a/b"], ["delete", "/x"],
                      ["rename", "x", "/y"]):
            self.assertIn(self.run_client(*words).returncode,
                          (REFUSED, NOT_FOUND), words)
        self.assertEqual(self.names(), [])
        self.assertEqual(os.listdir(self.local), ["x"])

    def test_ten_thousand_files_are_listed(self):
        names = {f"file-{i:05}" for i in range(10000)}
        for name in names:
            self.root.joinpath(name).touch()
        self.start()
        self.assertTrue(set(self.listed()) == names)
        lines = self.assert_status(DONE, "ls").stdout.decode().splitlines()
        # Not assertEqual, which looks for hours at lists that differ.
        self.assertTrue(lines == sorted(names))

    def test_listings_show_regular_visible_files_only(self):
        self.start()
        self.assertEqual(self.listed(), {})
        self.root.joinpath(".hidden").touch()
        self.root.joinpath("folder").mkdir()
        self.root.joinpath("link").symlink_to("/etc/passwd")
        os.mkfifo(self.root / "fifo")
        self.assertEqual(self.listed(), {})
        self.root.joinpath("file").touch()
        self.assertEqual(self.listed(), {"file": 0})

    def test_nothing_is_replaced_without_being_told_on_both_sides(self):
        self.local.joinpath("x").write_bytes(b"one")
        self.start()
        self.assert_status(DONE, "put", "x")
        self.local.joinpath("x").write_bytes(b"two")
        self.assert_status(EXISTS, "put", "x")
        self.assert_status(REFUSED, "put", "--force", "x")
        self.assert_status(EXISTS, "get", "x")
        self.assertEqual(self.local.joinpath("x").read_bytes(), b"two")
        self.assert_status(DONE, "get", "--force", "x")
        self.assertEqual(self.local.joinpath("x").read_bytes(), b"one")
        self.assertEqual(os.listdir(self.local), ["x"])

    def test_replacing_where_it_is_allowed(self):
        self.local.joinpath("x").write_bytes(b"one")
        self.start("--allow", "replace")
        self.assert_status(DONE, "put", "x")
        self.local.joinpath("x").write_bytes(b"two")
        self.assert_status(EXISTS, "put", "x")
        self.assert_status(DONE, "put", "x", options=["--force"])
        self.assertEqual(self.root.joinpath("x").read_bytes(), b"two")
        self.assertEqual(self.names(), [b"x"])

    def test_deleting_and_renaming_where_it_is_allowed(self):
        self.root.joinpath("x").touch()
        self.root.joinpath("y").touch()
        self.start()
        self.assert_status(REFUSED, "delete", "x")
        self.assert_status(REFUSED, "rename", "x", "z")
        self.server.end()
        self.start("--allow", "delete,rename")
        self.assert_status(EXISTS, "rename", "x", "y")
        self.assert_status(DONE, "rename", "x", "z")
        self.assert_status(DONE, "delete", "y")
        self.assert_status(NOT_FOUND, "delete", "y")
        self.assertEqual(self.names(), [b"z"])

    def test_several_files_by_patterns(self):
        self.start()
        for name in ("a.txt", "b.txt", "c.c", "*"):
            self.local.joinpath(name).write_text(name)
        self.assert_status(DONE, "mput", "*.txt", "c.c")
        self.assertEqual(set(self.listed()), {"a.txt", "b.txt", "c.c"})
        self.assert_status(NOT_FOUND, "mput", "*.none")
        self.assert_status(NOT_FOUND, "mget", "*.none")
        for name in ("a.txt", "b.txt", "c.c"):
            self.local.joinpath(name).unlink()
        self.assert_status(DONE, "mget", "?.txt")
        self.assertEqual(sorted(os.listdir(self.local)),
                         ["*", "a.txt", "b.txt"])
        self.assert_status(EXISTS, "mget", "*.txt", "c.c")
        self.assertTrue(self.local.joinpath("c.c").exists())

    def test_of_two_uploads_of_one_name_one_wins(self):
        self.start("--strategy", "threading")
        for round_number in range(20):
            name = f"file{round_number}"
            together = threading.Barrier(4)
            codes = []

            def upload(number, name=name, together=together, codes=codes):
                data = bytes([number]) * 100_000
                talk = Talk(self.port)
                talk.ask(f"PUT {name} {len(data)}")
                talk.send(b"DATA %d\n" % len(data) + data)
                together.wait()
                codes.append((talk.ask(f"COMMIT {digest(data)}").code,
                              data))
                talk.close()

            threads = [threading.Thread(target=upload, args=(i,))
                       for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(code for code, _ in codes),
                             [201, 409, 409, 409])
            self.assertEqual(self.root.joinpath(name).read_bytes(),
                             dict(codes)[201])


class Limits(LibraryTest):
    def put(self, name, size):
        return self.talk().put(name, b"x" * size)

    def test_a_file_larger_than_allowed_is_refused(self):
        self.start("--max-file-size", "1K")
        self.assertEqual(self.put("a", 1024), 201)
        self.assertEqual(self.put("b", 1025), 413)
        self.assertEqual(self.names(), [b"a"])

    def test_the_quota_holds_whoever_comes_at_once(self):
        self.start("--quota", "10K", "--strategy", "forking")
        codes = []
        together = threading.Barrier(8)

        def upload(number):
            data = b"x" * 3000
            talk = Talk(self.port)
            talk.ask(f"PUT {number} {len(data)}")
            talk.send(b"DATA %d\n" % len(data) + data)
            together.wait()
            codes.append(talk.ask(f"COMMIT {digest(data)}").code)
            talk.close()

        threads = [threading.Thread(target=upload, args=(i,))
                   for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(codes), [201] * 3 + [507] * 5)
        self.assertEqual(len(self.names()), 3)

    def test_a_disk_that_is_too_full_is_an_error(self):
        self.start("--min-free", "100000T")
        self.assertEqual(self.put("a", 1), 507)
        self.local.joinpath("a").write_text("x")
        self.assert_status(REFUSED, "put", "a")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to mount")
    def test_a_disk_that_fills_up_is_an_error(self):
        disk = self.folder()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M",
                               "tmpfs", disk], check=False)
        if made.returncode:
            self.skipTest("cannot mount")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        self.start(root=disk)
        talk = self.talk()
        self.assertEqual(talk.put("large", b"x" * (4 << 20)), 507)
        # Two that fit alone and not together: one shows it in its middle.
        other = self.talk()
        half = b"x" * 1_500_000
        for each in (talk, other):
            self.assertEqual(each.ask(f"PUT x{id(each)} {len(half)}").code,
                             150)
        # One after the other: at the same time both could fill it.
        for each, code in ((talk, 201), (other, 507)):
            each.send(b"DATA %d\n" % len(half) + half)
            each.send(f"COMMIT {digest(half)}\n".encode())
            self.assertEqual(each.reply().code, code)
        self.assertEqual(len(os.listdir(disk)), 1)
        self.assertEqual(talk.put("small", b"x"), 201)


if __name__ == "__main__":
    main()
