"""A small made-up city of two districts, one of which followed two others, to be spoilt by tests."""

from __future__ import annotations

from pathlib import Path

CITY = """\
name: toytown
label: 玩具城
label_en: Toytown
timezone: Asia/Shanghai
language: en
root: T
number_prefix: TOY
center: [10.05, 50.05]
levels:
  city: {label: 市, label_en: City}
synthetic:
  - Everything in it is made up.
"""
DIVISIONS = """\
code,name,name_en,level,parent,valid_from,valid_to,source
T,Toytown,,city,,2000-01-01,,made up
T1,West,,district,T,2000-01-01,,made up
T2,Middle,,district,T,2000-01-01,2020-01-01,made up
T3,East,,district,T,2000-01-01,2020-01-01,made up
T4,Far East,,district,T,2000-01-01,2020-01-01,made up
T2,New Middle,,district,T,2020-01-01,,made up
T5,New East,,district,T,2020-01-01,,made up
T1-1,West Street,,street,T1,2000-01-01,,made up
"""
CHANGES = """\
predecessor,successor,date,note
T2@2000-01-01,T2@2020-01-01,2020-01-01,wholly
T3,T2@2020-01-01,2020-01-01,in part
T3,T5,2020-01-01,in part
T4,T5,2020-01-01,wholly
"""
DEPARTMENTS = """\
code,name,name_en,level,parent,function,division,kind,last_resort
CENTRE,Centre,,city,,operations_center,T,office,yes
ROADS,Roads,,city,CENTRE,roads,T,unit,
"""
TYPES = """\
code,kind,major,major_en,minor,minor_en,name,name_en,register_standard,close_standard,accept_limit,register_limit,\
dispatch_limit,handle_limit,verify_limit,close_limit,total_limit,severity,urgent,evidence,source
hole,works,Roads,,Surface,,Hole,,deep,filled,1h,,,2wd,,,5wd,3,no,photo+place,made up
lamp,works,Roads,,Light,,Lamp,,dark,bright,,,,1d,,,,2,yes,,made up
"""
LIMITS = """\
type,stage,valid_from,limit
lamp,handle,,2d
lamp,handle,2020-01-01,1d
"""
MOVES = """\
kinds:
  works:
    label: 工程
    label_en: Works
    states:
      reported: {label: 上报, label_en: Reported, phase: open}
      handling: {label: 处置, label_en: Handling, phase: open}
      closed: {label: 结案, label_en: Closed, phase: done}
    open: reported
    moves:
      - code: take
        label: 接收
        label_en: Take
        from: [reported]
        to: handling
        roles: [handler]
        needs: [unit]
        clocks: {stop: [accept], start: [handle]}
        why: 接收
      - code: close
        label: 结案
        label_en: Close
        from: [handling]
        to: closed
        roles: [shift_leader]
        not_who: [take]
        clocks: {stop: [handle]}
        why: 结案
      - code: note
        label: 备注
        label_en: Note
        from: open
        to: same
        roles: [handler, shift_leader]
        needs: [note]
        why: 备注
"""
DISPATCH = """\
rules:
  - id: lamps
    when: {type: [lamp], division: [T1]}
    unit: ROADS
    because: lamps in the west
  - id: rest
    when: {}
    unit: {function: operations_center, level: city}
    because: whatever is left
"""
ESCALATION = """\
warn_share: 0.8
levels:
  - {level: 1, after: 0m, notify: [shift_leader], at: unit, because: it is late}
  - {level: 2, after: 1wd, notify: [leader], at: city, because: it is very late}
"""
CALENDAR = """\
hours:
  - ["09:00", "17:00"]
weekend: [sat, sun]
holidays:
  - {date: 2020-01-01, name: New Year, source: made up}
"""
PARAMETERS = """\
reopen_window_days: {unit: d, meaning: how long a case may be reopened, source: made up, values: {2000-01-01: 15}}
duplicate_radius_m: {unit: m, meaning: how near, source: made up, values: {2000-01-01: 100}}
duplicate_window_h: {unit: h, meaning: how soon, source: made up, values: {2000-01-01: 24}}
returns_before_last_resort: {unit: "1", meaning: how often, source: made up, values: {2000-01-01: 2}}
"""
POSTS = """\
accounts:
  - {username: toy-leader, name: Toy Leader, language: en}
posts:
  - {role: shift_leader, department: CENTRE, division: T, account: toy-leader}
  - {role: handler, department: ROADS, division: T1, account: toy-leader}
"""


def square(code: str, valid_from: str, west: float, east: float) -> str:
    """A feature: 0.1 degrees of latitude high."""
    ring = [[west, 50.0], [east, 50.0], [east, 50.1], [west, 50.1], [west, 50.0]]
    return (
        f'{{"type": "Feature", "properties": {{"code": "{code}", "valid_from": "{valid_from}", "source": "made up"}}, '
        f'"geometry": {{"type": "Polygon", "coordinates": [{ring}]}}}}'
    )


BOUNDARIES = (
    '{"type": "FeatureCollection", "features": [\n'
    + ",\n".join(
        [
            square("T", "2000-01-01", 10.0, 10.4),
            square("T1", "2000-01-01", 10.0, 10.1),
            square("T2", "2000-01-01", 10.1, 10.2),
            square("T3", "2000-01-01", 10.2, 10.3),
            square("T4", "2000-01-01", 10.3, 10.4),
        ]
    )
    + "\n]}\n"
)
FILES = {
    "city.yaml": CITY,
    "divisions.csv": DIVISIONS,
    "division_changes.csv": CHANGES,
    "boundaries.geojson": BOUNDARIES,
    "departments.csv": DEPARTMENTS,
    "case_types.csv": TYPES,
    "limits.csv": LIMITS,
    "moves.yaml": MOVES,
    "dispatch.yaml": DISPATCH,
    "escalation.yaml": ESCALATION,
    "calendar.yaml": CALENDAR,
    "parameters.yaml": PARAMETERS,
    "posts.yaml": POSTS,
}


def write_pack(parent: Path) -> Path:
    """The small pack, in a folder of its name."""
    folder = parent / "toytown"
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def change(folder: Path, name: str, old: str, new: str) -> None:
    """Replace a text that must stand once in a file of the pack."""
    text = (folder / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
