"""Checksums beside files: written by the sink, compared by the source, and understood by everybody's tools."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from routekit import BadOption, BodyError
from routekit_file import FileSink, FileSource

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("name", ["a.csv", "ä b.csv", "back\\slash", "line\nbreak"])
async def test_what_the_sink_writes_is_what_the_tools_expect(
    bench: Any, tmp_path: Path, algorithm: Any, name: str, tree: Any
) -> None:
    """`sha256sum --check` and its kin find the file beside its checksum, and that it is right."""
    [reply] = await bench.send(FileSink(directory=tmp_path, checksum=algorithm), b"x" * 100_000, name=f"sub/{name}")
    assert reply.headers["file.checksum"] == hashlib.new(algorithm, b"x" * 100_000).hexdigest()
    command = [f"{algorithm}sum", "--check", f"{name}.{algorithm}"]
    assert (await anyio.run_process(command, cwd=tmp_path / "sub", check=False)).returncode == 0
    assert set(tree(tmp_path)) == {f"sub/{name}", f"sub/{name}.{algorithm}"}


async def test_the_checksum_is_that_of_what_is_on_disk(bench: Any, tmp_path: Path) -> None:
    """Of the bytes that a codec made, of a copied file, and under the name that a file got at last."""
    sink = FileSink(directory=tmp_path / "out", checksum="sha256", exists="rename", codec="gzip")
    (tmp_path / "original").write_bytes(b"y")
    replies = await bench.send(sink, b"x", tmp_path / "original", name="a.gz")
    assert [reply.headers["file.name"] for reply in replies] == ["a.gz", "a-1.gz"]
    for reply in replies:
        content = (tmp_path / "out" / reply.headers["file.name"]).read_bytes()
        assert reply.headers["file.checksum"] == hashlib.sha256(content).hexdigest()
        assert (tmp_path / "out" / f"{reply.headers['file.name']}.sha256").exists()


async def test_a_message_that_comes_again_completes_what_a_crash_left(bench: Any, tmp_path: Path, tree: Any) -> None:
    """The process died between the file and its checksum: sent again, the message writes what is missing."""
    sink = FileSink(directory=tmp_path, checksum="sha256", done_file="{name}.ok", name="a")
    (tmp_path / "a").write_bytes(b"x")
    await bench.send(sink, b"x")
    assert set(tree(tmp_path)) == {"a", "a.sha256", "a.ok"}


async def test_a_source_takes_a_file_with_its_checksum(bench: Any, inbox: Path, tree: Any) -> None:
    """Only once the checksum is there, whoever wrote it; both go in the end."""
    await bench.send(FileSink(directory=inbox, checksum="sha256"), b"1", name="a")
    (inbox / "b").write_bytes(b"2")
    (inbox / "c").write_bytes(b"3")
    (inbox / "c.sha256").write_text(f"{hashlib.sha256(b'3').hexdigest().upper()} *c\nmore lines\n")
    source = FileSource(directory=inbox, after="delete", checksum="sha256")
    assert await bench.work(source) == [b"1", b"3"]
    assert set(tree(inbox)) == {"b"}


@pytest.mark.parametrize("said", [b"", b"\n", b"0" * 64, b"\xff\xfe", b"x" * 100_000])
async def test_a_file_that_is_not_what_its_checksum_says_is_refused(
    bench: Any, inbox: Path, tree: Any, said: bytes
) -> None:
    """No message is made of it; it is put aside with the reason, and the next one follows."""
    (inbox / "a").write_bytes(b"cut off on the wa")
    (inbox / "a.md5").write_bytes(said)
    (inbox / "b").write_bytes(b"2")
    (inbox / "b.md5").write_text(hashlib.md5(b"2").hexdigest())
    assert await bench.work(FileSource(directory=inbox, after="delete", checksum="md5")) == [b"2"]
    files = tree(inbox)
    assert set(files) == {".failed/a", ".failed/a.error.json"}
    reason = json.loads(files[".failed/a.error.json"])["reason"]
    assert reason.startswith("a has the md5 ")
    assert "let it be sent again" in reason


async def test_the_checksum_may_be_in_a_done_file_of_another_name(bench: Any, inbox: Path) -> None:
    """As partners name it."""
    (inbox / "a.csv").write_bytes(b"1")
    (inbox / "a.sum").write_text(hashlib.sha1(b"1").hexdigest())
    source = FileSource(directory=inbox, after="delete", checksum="sha1", done_file="{stem}.sum", read="path")
    assert [path.name for path in await bench.work(source)] == ["a.csv"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become somebody else")
async def test_a_checksum_that_may_not_be_read_is_no_pass(bench: Any, open_folder: Path) -> None:
    """What cannot be compared is refused."""
    (open_folder / "a").write_bytes(b"1")
    (open_folder / "a.md5").write_text("secret")
    (open_folder / "a.md5").chmod(0o600)
    os.seteuid(65534)
    assert await bench.work(FileSource(directory=open_folder, after="keep", checksum="md5")) == []
    assert "cannot be compared" in (open_folder / ".failed" / "a.error.json").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checksum": "sha256", "exists": "append"}, "exists=append may leave another one"),
        ({"checksum": "sha256", "exists": "skip"}, "exists=skip may leave another one"),
        ({"checksum": "crc"}, "'md5', 'sha1'"),
        ({"modified": "0", "exists": "append"}, "modified is for whole files"),
        ({"modified": "2026-01-01T00:00:00"}, "should have timezone info"),
        ({"mode": "rw-"}, "should match pattern"),
        ({"folder_mode": "999"}, "should match pattern"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, str], words: str) -> None:
    """A contradiction is an error at check, which says what to do."""
    with pytest.raises(BadOption) as refused:
        FileSink.of("out", options)
    assert words in str(refused.value)


async def test_permissions_are_those_that_were_asked(bench: Any, tmp_path: Path) -> None:
    """Exactly, whatever the umask leaves: of files, markers, checksums, appended files and folders that are made."""
    before = os.umask(0o077)
    try:
        kept = tmp_path / "kept"
        kept.mkdir()
        sink = FileSink(directory=kept, mode="664", folder_mode="2775", checksum="md5", done_file="{name}.ok")
        await bench.send(sink, b"x", name="made/deep/a")
        appending = FileSink(directory=kept, mode="660", exists="append", name="log")
        await bench.send(appending, b"x")
        (kept / "log").chmod(0o600)
        await bench.send(appending, b"x")
    finally:
        os.umask(before)
    modes = {str(path.relative_to(tmp_path)): f"{path.stat().st_mode & 0o7777:o}" for path in tmp_path.rglob("*")}
    assert modes == {
        "kept": "700",
        "kept/made": "2775",
        "kept/made/deep": "2775",
        "kept/made/deep/a": "664",
        "kept/made/deep/a.md5": "664",
        "kept/made/deep/a.ok": "664",
        "kept/log": "600",
    }


async def test_the_time_of_modification_may_be_given(bench: Any, tmp_path: Path) -> None:
    """Fixed, or computed for each message: a copy that looks like its original."""
    await bench.send(FileSink(directory=tmp_path, modified="2026-01-01T00:00:00Z", name="a"), b"x")
    assert (tmp_path / "a").stat().st_mtime == 1_767_225_600
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b").write_bytes(b"y")
    os.utime(tmp_path / "in" / "b", (1000, 1000))
    from routekit import from_
    from routekit.testing import run_routes

    await run_routes(
        from_(f"file:{tmp_path}/in?after=delete", bytes).to(
            f"file:{tmp_path}", name=lambda body: "b", modified=lambda body, message: message.headers["file.modified"]
        )
    )
    assert (tmp_path / "b").stat().st_mtime == 1000


async def test_a_name_without_room_for_its_checksum_is_refused_before_it_is_written(
    bench: Any, tmp_path: Path, tree: Any
) -> None:
    """Nothing is left behind that is not complete."""
    with pytest.raises(BodyError, match="255 are the most"):
        await bench.send(FileSink(directory=tmp_path, checksum="sha256", name="x" * 250), b"x")
    assert tree(tmp_path) == {}
