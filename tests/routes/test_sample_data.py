"""The sample lead files: made again to the byte, and worth what they say they are worth."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, create_engine, event, select

from examples.data.by_hand import CONTACTS, Counts, kind_of, load
from examples.data.make_leads import fingerprint, make

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "data" / "leads"
EXPECTED = json.loads((SAMPLE / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    """A database file of its own."""
    engine = create_engine(f"sqlite:///{tmp_path / 'crm.db'}")
    yield engine
    engine.dispose()


def contacts(engine: Engine) -> list[Row[Any]]:
    """What is in the table."""
    with engine.connect() as connection:
        return [*connection.execute(select(CONTACTS).order_by(CONTACTS.c.email))]


def shown(counts: Counts) -> dict[str, object]:
    """Counts as `expected.json` shows them."""
    return {**vars(counts), "rejected": dict(sorted(counts.rejected.items()))}


def assert_as_expected(expected: dict[str, Any], counts: dict[str, Counts], engine: Engine) -> None:
    """Counts by file and reason, and every value of every contact, are as they were made to be."""
    rows = contacts(engine)
    assert {file: shown(found) for file, found in counts.items()} == expected["files"]
    assert len(rows) == expected["contacts"]
    assert sum(row.vip for row in rows) == expected["vips"]
    assert f"{sum(fingerprint(tuple(row)[:8]) for row in rows) % (1 << 128):032x}" == expected["fingerprint"]


def test_the_script_makes_the_sample_again(tmp_path: Path) -> None:
    """The command without arguments but the folder gives the committed files, byte for byte."""
    subprocess.run(
        [sys.executable, "-m", "examples.data.make_leads", "--out", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    kept = {path.relative_to(SAMPLE): path.read_bytes() for path in SAMPLE.rglob("[!.]*") if path.is_file()}
    assert made == kept


def test_the_sample_gives_what_it_was_made_for(tmp_path: Path, engine: Engine) -> None:
    """Rows, contacts, duplicates and refusals by reason are those known from how the files were made."""
    assert_as_expected(EXPECTED, load(SAMPLE, engine, tmp_path / "rejects.csv"), engine)


@pytest.mark.parametrize("seed", range(4))
def test_other_samples_give_what_they_were_made_for(tmp_path: Path, engine: Engine, seed: int) -> None:
    """Files from other seeds, at full dirt, are understood to the last cell too."""
    expected = make(tmp_path / "leads", rows=1_500, seed=seed, dirt=1.0)
    counts = load(tmp_path / "leads", engine, tmp_path / "rejects.csv")
    assert_as_expected(json.loads(json.dumps(expected)), counts, engine)


def test_another_seed_makes_other_files(tmp_path: Path) -> None:
    """The seed decides who is in the files."""
    prints = {make(tmp_path / str(seed), rows=50, seed=seed, dirt=0.5)["fingerprint"] for seed in (1, 2, 1)}
    assert len(prints) == 2


def test_without_dirt_every_row_is_a_contact(tmp_path: Path, engine: Engine) -> None:
    """Clean files have no duplicates and no refusals but the row that was cut off."""
    expected = make(tmp_path / "leads", rows=200, seed=1, dirt=0.0)
    assert expected["total"] == {"rows": 200, "clean": 199, "duplicates": 0, "rejected": {"ragged": 1}}
    assert_as_expected(expected, load(tmp_path / "leads", engine, tmp_path / "rejects.csv"), engine)


def test_the_counts_of_the_sample_add_up() -> None:
    """Every row is a contact, a duplicate or refused, and every way of being refused occurs in the sample."""
    for file in (*EXPECTED["files"].values(), EXPECTED["total"]):
        assert file["rows"] == file["clean"] + file["duplicates"] + sum(file["rejected"].values())
    assert EXPECTED["total"]["clean"] == EXPECTED["contacts"]
    kinds = "budget company consent country date email encoding name phone ragged several"
    assert list(EXPECTED["total"]["rejected"]) == kinds.split()


def test_loading_twice_changes_nothing(tmp_path: Path, engine: Engine) -> None:
    """An upsert of the same files leaves the table as it is."""
    load(SAMPLE, engine, tmp_path / "rejects.csv")
    first = contacts(engine)
    load(SAMPLE, engine, tmp_path / "rejects.csv")
    assert contacts(engine) == first


def test_contacts_are_committed_in_batches(tmp_path: Path, engine: Engine) -> None:
    """The loop commits every 500 contacts and at the end of each file, as the benchmark says of it."""
    make(tmp_path / "leads", rows=2_100, seed=1, dirt=0.0)
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    load(tmp_path / "leads", engine, tmp_path / "rejects.csv")
    assert len(commits) == 3 + 1 + 2, "1,050 rows of the web, 420 of the fair, 629 of the partner"


def test_each_refused_row_is_in_the_rejects_file(tmp_path: Path, engine: Engine) -> None:
    """The rejects file has a line for each refused row with its reason, and the row as it came."""
    load(SAMPLE, engine, tmp_path / "rejects.csv")
    with (tmp_path / "rejects.csv").open(encoding="utf-8", newline="") as stream:
        rejects = [*csv.DictReader(stream)]
    assert Counter(kind_of(line["column"], line["reason"]) for line in rejects) == EXPECTED["total"]["rejected"]
    for line in rejects:
        assert line["reason"]
        assert int(line["row"]) >= 1
        assert isinstance(json.loads(line["record"]), dict)


def test_nobody_in_the_sample_is_real(tmp_path: Path, engine: Engine) -> None:
    """Each address is in a domain kept for examples."""
    load(SAMPLE, engine, tmp_path / "rejects.csv")
    for row in contacts(engine):
        assert re.search(r"[@.]example\.(com|org|net)$", row.email)
        assert row.phone is None or re.fullmatch(r"\+[1-9]\d{6,14}", row.phone)


def test_the_sample_has_the_dirt_of_real_files() -> None:
    """What makes lead files hard is in the bytes of the sample."""
    web = (SAMPLE / "web" / "web-2026-11-20.csv").read_bytes()
    fair = (SAMPLE / "fair" / "fair-munich.csv").read_bytes()
    partner = (SAMPLE / "partner" / "partner-acme.tsv").read_bytes()
    assert web.startswith(b"\xef\xbb\xbf")
    assert all(
        text.encode() in web for text in ("\xa0", "u\u0308", "\u200b", "=HYPERLINK", "&amp;", "<script>", "小明")
    )
    assert all(text in web for text in (b'""', b"\r\n\r\n", b"\x81", b'"Acme\nGmbH"'))
    assert "Müller".encode("cp1252") in fair
    assert b"\n\n" in partner
    assert not partner.endswith(b"\n"), "the last row is cut off"


@pytest.mark.parametrize(
    ("column", "reason", "kind"),
    [
        ("", "expected 9 columns, found 8", "ragged"),
        ("Firma", "byte 0x81 at character 2 of the field is not cp1252", "encoding"),
        ("Deal Size", "has no currency", "budget"),
        ("email, phone", "email: is missing; phone: it is too short", "several"),
    ],
)
def test_a_line_of_the_rejects_has_a_kind(column: str, reason: str, kind: str) -> None:
    """Rejects of a loop and of a route are counted by the same words."""
    assert kind_of(column, reason) == kind
