from chengshu.core.slug import slug


def test_codes_are_ascii_words_joined_by_hyphens() -> None:
    assert slug("Sidewalk Repair (Make Safe)") == "sidewalk-repair-make-safe"
    assert slug("  Café & Bar_3 ") == "cafe-bar-3"
    assert slug("城") == ""
