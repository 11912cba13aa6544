"""What must not stand on a public page is taken out, however it is written; what may stand there stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chengshu.core.masking import MASK, masked

DIGITS = st.text("0123456789", min_size=8, max_size=8)
HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=12)
MOBILES = st.builds("1{}{}".format, st.sampled_from("3456789"), st.text("0123456789", min_size=9, max_size=9))
LAST = st.sampled_from("0123456789Xx")
CARDS = st.builds("330106{}{}{}".format, DIGITS, st.text("0123456789", min_size=3, max_size=3), LAST)
EMAILS = st.from_regex(r"[a-z][a-z0-9._]{1,12}@[a-z]{2,10}\.(com|cn|org)", fullmatch=True)
SERIALS = st.from_regex(r"[A-HJ-NP-Z0-9]{5,6}", fullmatch=True)
PLATES = st.builds("{}{}{}".format, st.sampled_from("浙沪京粤苏"), st.sampled_from("ABCDEFGH"), SERIALS)


@given(HAN, st.one_of(MOBILES, CARDS, EMAILS, PLATES), HAN)
def test_nothing_private_passes_whatever_stands_around_it(before: str, private: str, after: str) -> None:
    assert private not in masked(f"{before}{private}{after}")


@given(MOBILES, st.sampled_from([" ", "-", ".", "·"]))
def test_a_number_written_in_groups_is_found(mobile: str, between: str) -> None:
    said = between.join([mobile[:3], mobile[3:7], mobile[7:]])
    assert masked(f"请打{said}。") == f"请打{MASK}。"


@given(st.text(max_size=200))
def test_masking_what_is_masked_changes_nothing(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


@given(st.text(max_size=60), st.text(min_size=2, max_size=8).filter(lambda name: len(name.strip()) >= 2))
def test_a_known_name_never_stands_in_the_answer(text: str, name: str) -> None:
    if name.strip() not in MASK:
        assert name.strip() not in masked(f"{text}{name}{text}", [name])


@pytest.mark.parametrize(
    "text",
    [
        "垃圾已清运，现场已冲洗",
        "井盖已于2026-11-22加固，见案件HZ-20261122-000001",
        "文三路路灯已修复，共3盏",
        "地铁5号线施工围挡已拆除",
        "请拨打12345",
        "Pothole filled, 3 bags of asphalt used.",
    ],
)
def test_what_tells_of_nobody_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("已联系反映人张三丰，同意结案", "张三丰"),
        ("已与王建国先生沟通", "王建国"),
        ("联系人：欧阳修文", "欧阳修文"),
        ("文三路90号3幢2单元501室已处理", "501"),
        ("文三路90号3幢2单元501室已处理", "90"),
        ("座机0571-8765 4321", "8765"),
        ("+86 138 0000 0000", "138"),
        ("护照E12345678", "12345678"),
        ("Spoke with Mr. John Smith at 12 Beacon Street", "Smith"),
        ("Spoke with Mr. John Smith at 12 Beacon Street", "12"),
        ("plate 1ABC23 towed", "1ABC23"),
        ("call (617) 555-0134", "555"),
        ("微信号 wx_abc123", "wx_abc123"),
        ("浙A·12345停在路口", "12345"),
    ],
)
def test_examples_of_the_trade(text: str, private: str) -> None:
    assert private not in masked(text)
    assert MASK in masked(text)
