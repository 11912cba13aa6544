"""Documents to print and hand out: A4 pages with a head, tables, definitions and page numbers, Chinese embedded.

A reader's computer need not have a Chinese font: the glyphs that a document uses are taken from Noto Sans SC (SIL Open
Font License 1.1), which the front end's build puts beside the pages' assets in files of a hundred or so characters.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from django.utils.translation import gettext as _
from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, TableBordersLayout, VAlign
from fpdf.fonts import FontFace

from chengshu.core.errors import CannotStart
from chengshu.web.assets import DIST

FONTS = DIST / "fonts"
REGULAR, BOLD = 400, 600  # weights of the variable font
MARGIN, SIZE, LINE = 12.0, 8.5, 4.2  # mm, points, mm
MISSING = "\N{WHITE SQUARE}"  # stands for a character that the font does not have
GREY, INK, HEAD = (91, 107, 124), (22, 40, 58), (232, 237, 243)
_UNUSED = ("GSUB", "GPOS", "GDEF", "STAT", "BASE", "VORG", "vhea", "vmtx", "gasp", "prep", "fpgm", "cvt ")


class Document:
    """A document that is written from top to bottom. It knows its characters only at the end, so it is drawn there."""

    def __init__(self, *, title: str, note: str = "", landscape: bool = True) -> None:
        self._title, self._note, self._landscape = title, note, landscape
        self._work: list[tuple[str, tuple[object, ...]]] = []
        self._words: list[str] = [title, note, *"0123456789/ "]

    @property
    def width(self) -> float:
        """Between the margins, in millimetres."""
        return (297.0 if self._landscape else 210.0) - 2 * MARGIN

    def heading(self, words: str) -> None:
        """A heading within the document."""
        self._add("heading", words, chars=[words])

    def definition(self, term: str, words: str) -> None:
        """A term and what it means."""
        self._add("definition", term, words, chars=[term, words])

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
        """A table whose head is repeated on each page; the first column is text, the others are numbers. Widths in mm."""
        self._add("table", head, rows, widths, chars=chain(head, *rows))

    def _add(self, kind: str, *content: object, chars: Iterable[str]) -> None:
        self._work.append((kind, content))
        self._words.extend(chars)

    def bytes(self) -> bytes:
        """The finished document."""
        known = set(map(ord, "".join(self._words)))
        with tempfile.TemporaryDirectory() as folder:
            pdf = _Pages(self._title, self._note, "landscape" if self._landscape else "portrait")
            for style, weight in (("", REGULAR), ("B", BOLD)):
                path = f"{folder}/{weight}.ttf"
                font(known, weight).save(path)
                pdf.add_font("sc", style, path)
            pdf.add_page()
            for kind, content in self._work:
                getattr(pdf, f"draw_{kind}")(*content)
            return bytes(pdf.output())


class _Pages(FPDF):
    """The pages as they are drawn: title and period above, page numbers below."""

    def __init__(self, title: str, note: str, orientation: str) -> None:
        super().__init__(orientation=orientation, format="A4")
        self._title, self._note = title, note
        self.set_title(title)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN + 4)

    def header(self) -> None:
        self.set_text_color(*INK)
        self.set_font("sc", "B", 13 if self.page_no() == 1 else 9)
        self.multi_cell(0, 6, _known(self, self._title), new_x="LMARGIN", new_y="NEXT")
        self.set_font("sc", "", SIZE)
        self.set_text_color(*GREY)
        self.multi_cell(0, 5, _known(self, self._note), new_x="LMARGIN", new_y="NEXT")
        self.set_text_color(*INK)
        self.ln(2)

    def footer(self) -> None:
        self.set_y(-MARGIN)
        self.set_font("sc", "", 7.5)
        self.set_text_color(*GREY)
        self.cell(0, 4, f"{self.page_no()} / {{nb}}", align=Align.R)

    def draw_heading(self, words: str) -> None:
        self.ln(4)
        self.set_font("sc", "B", 10.5)
        self.multi_cell(0, 6, _known(self, words), new_x="LMARGIN", new_y="NEXT")

    def draw_definition(self, term: str, words: str) -> None:
        self.set_font("sc", "B", SIZE)
        self._keep_together(words)
        self.multi_cell(0, LINE + 0.6, _known(self, term), new_x="LMARGIN", new_y="NEXT")
        self.set_font("sc", "", SIZE)
        self.multi_cell(0, LINE, _known(self, words), new_x="LMARGIN", new_y="NEXT")
        self.ln(1.2)

    def _keep_together(self, words: str) -> None:
        """A term is not left alone at the foot of a page."""
        found = self.multi_cell(0, LINE, _known(self, words), dry_run=True, output=MethodReturnValue.HEIGHT)
        if self.will_page_break(LINE + float(found)):  # type: ignore[arg-type]
            self.add_page()

    def draw_table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
        self.set_font("sc", "", SIZE)
        self.set_draw_color(195, 206, 218)
        bold = FontFace(emphasis="BOLD", fill_color=HEAD)
        aligned = [Align.L, *(Align.R for _width in widths[1:])]
        with self.table(
            col_widths=tuple(widths), width=sum(widths), align=Align.L, text_align=tuple(aligned), headings_style=bold,
            line_height=LINE, borders_layout=TableBordersLayout.HORIZONTAL_LINES, v_align=VAlign.T, padding=0.8,
        ) as drawn:  # fmt: skip
            for line in (head, *rows):
                row = drawn.row()
                for words in line:
                    row.cell(_known(self, words))
        self.ln(4)


def _known(pdf: FPDF, words: str) -> str:
    """The words, with a box for every character that the font does not have."""
    has = pdf.fonts["sc"].cmap  # type: ignore[union-attr]
    return "".join(c if c == "\n" or ord(c) in has else MISSING for c in words)


def font(characters: set[int], weight: int) -> TTFont:
    """A font that holds the characters (code points) it can, at a weight of 100 to 900."""
    wanted = characters | {ord(MISSING)}
    parts = []
    for name, ranges in _files().items():
        if own := {c for c in wanted if any(first <= c <= last for first, last in ranges)}:
            wanted -= own
            parts.append(_cut(name, weight, own))
    return Merger().merge(parts)


def _cut(name: str, weight: int, characters: set[int]) -> io.BytesIO:
    found = TTFont(io.BytesIO(_at_weight(name, weight)))
    options = Options()
    options.layout_features, options.hinting, options.notdef_outline = [], False, True
    cutter = Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(found)
    for table in _UNUSED:
        if table in found:
            del found[table]
    return _saved(found)


@lru_cache(maxsize=256)
def _at_weight(name: str, weight: int) -> bytes:
    """A file of the variable font at one weight: this takes a tenth of a second, and the same files are used again and again."""
    found = TTFont(FONTS / f"noto-sans-sc-{name}-wght-normal.woff2")
    instantiateVariableFont(found, {"wght": weight}, inplace=True)
    found.flavor = None
    return _saved(found).getvalue()


def _saved(found: TTFont) -> io.BytesIO:
    out = io.BytesIO()
    found.save(out)
    out.seek(0)
    return out


@lru_cache(maxsize=1)
def _files() -> dict[str, tuple[tuple[int, int], ...]]:
    """The files of the font with the ranges of code points they hold."""
    try:
        content = json.loads((FONTS / "unicode.json").read_text())
    except FileNotFoundError as error:
        raise CannotStart(_("The fonts are not built."), where=str(FONTS), remedy="Run `make assets`.") from error
    return {name.strip("[]"): tuple(map(_range, text.split(","))) for name, text in content.items()}


def _range(text: str) -> tuple[int, int]:
    """Of `U+4e00-4e1f` or `U+4e00`."""
    first, _dash, last = text.strip().removeprefix("U+").partition("-")
    return int(first, 16), int(last or first, 16)
