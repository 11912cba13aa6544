"""Packs made to do harm, or broken in odd ways: each is refused with a sentence, and nothing hangs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from chengshu.core.errors import Invalid, Mistakes
from chengshu.packs import archive
from chengshu.packs.read import read_pack
from tests.packs.small import PARAMETERS, change, write_pack


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path)


def _zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, b"x" * 1000)
    return out.getvalue()


def _refused(pack: Path) -> str:
    with pytest.raises(Mistakes) as raised:
        read_pack(pack)
    return str(raised.value)


BOMB = "\n".join(
    ["a0: &a0 [" + "x, " * 20 + "x]", *(f"a{i}: &a{i} [" + f"*a{i - 1}, " * 20 + "x]" for i in range(1, 12))]
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "unfolds to too much"),
        ("a: &a [*a]\n", "a is [null]"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: .nan\n", "a number that is none"),
        ('a: "\\0"\n', "NUL"),
        ('a: "\\ud800"\n', "not"),
        ("a: " + "9" * 5000 + "\n", "not YAML"),
    ],
    ids=["bomb", "ring", "deep", "nan", "nul", "surrogate", "long number"],
)
def test_yaml_that_is_a_trap_is_refused(pack: Path, text: str, words: str) -> None:
    (pack / "parameters.yaml").write_text(text)
    assert words in _refused(pack)


def test_an_alias_that_only_saves_writing_is_read(pack: Path) -> None:
    change(pack, "dispatch.yaml", "type: [lamp]", "type: &these [lamp]")
    change(
        pack,
        "dispatch.yaml",
        "- id: rest",
        "- id: more\n    when: {type: *these}\n    unit: ROADS\n    because: x\n  - id: rest",
    )
    assert read_pack(pack).parts[0].value["rules"][1]["when"] == {"type": ["lamp"]}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"type": NaN}', '{"type": ' + "9" * 5000 + "}", '{"a": "\\u0000"}'])
def test_json_that_is_a_trap_is_refused(pack: Path, text: str) -> None:
    (pack / "boundaries.geojson").write_text(text)
    assert "not JSON" in _refused(pack)


def test_a_nul_in_a_table_is_told_with_its_line(pack: Path) -> None:
    change(pack, "departments.csv", "Roads", "Ro\x00ads")
    assert "departments.csv:3: this holds a NUL character" in _refused(pack)


def test_only_ends_of_lines_end_a_row(pack: Path) -> None:
    change(pack, "departments.csv", "Roads", "Ro\u2028ads\x0b\x85")
    assert read_pack(pack).departments[1].name == "Ro\u2028ads"
    for end in (b"\r", b"\r\n"):
        (pack / "departments.csv").write_bytes((pack / "departments.csv").read_bytes().replace(b"\n", end))
        assert len(read_pack(pack).departments) == 2


@pytest.mark.parametrize("names", [(".",), ("a", "a/b"), ("a/b", "a"), ("x/./a", "x/a"), ("字" * 100,)])
def test_a_zip_whose_names_cannot_be_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as raised, archive.opened(_zip(*names), "toytown"):
        pass
    assert raised.value.remedy


def test_a_zip_with_a_nameless_file_is_refused() -> None:
    content = _zip("q").replace(b"q", b"/", 1)  # the name within the file and the list differ
    with pytest.raises(Invalid), archive.opened(content, "toytown"):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_that_is_damaged_inside_is_refused(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr("city.yaml", bytes(range(256)) * 40)
    content = bytearray(out.getvalue())
    content[45:80] = b"\xff" * 35
    with pytest.raises(Invalid, match="damaged"), archive.opened(bytes(content), "toytown"):
        pass


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("reopen_window_days", "99999", "days, from 0 to 3650"),
        ("reopen_window_days", "[15]", "days, from 0 to 3650"),
        ("returns_before_last_resort", "1.5", "a whole number from 0 to 100"),
        ("second_factor_roles", "5", "a list of roles"),
        ("second_factor_roles", "[king]", "one of operator"),
        ("shift_starts", '["25:00"]', "a time of day"),
        ("shift_starts", "[]", "a list of times of day"),
        ("brief_time", "soon", "a time of day"),
        ("ranking_weight_handle", "many", "a weight from 0 to 1000"),
        ("of_our_own", "[[1]]", "a number, a text, or yes or no"),
    ],
)
def test_a_parameter_that_the_platform_reads_has_its_type(pack: Path, name: str, value: str, words: str) -> None:
    entry = f'{name}: {{unit: "1", meaning: x, source: made up, values: {{2000-01-01: {value}}}}}\n'
    others = [line for line in PARAMETERS.splitlines(keepends=True) if not line.startswith(name)]
    (pack / "parameters.yaml").write_text("".join([*others, entry]))
    assert words in _refused(pack)
