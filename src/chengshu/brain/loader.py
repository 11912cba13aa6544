"""Scenes enter by one door, the entry points `chengshu.scenes`; here they are examined, and refused with all reasons at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from chengshu.brain.files import read
from chengshu.brain.records import AutoMove, Loaded
from chengshu.cases.catalog import Catalog
from chengshu.core.errors import Mistake, Mistakes, NotFound
from chengshu.logs import get_logger
from chengshu.parties.roles import Role
from chengshu.scene import Scene

GROUP: Final = "chengshu.scenes"
_OPEN_TO_SCENES: Final = ("chengshu.core", "chengshu.scene", "chengshu.detectors")
log = get_logger(__name__)


class Refused(Mistakes):
    """A scene that cannot be used, with every reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A scene as found: loaded, or refused with the reasons."""

    name: str
    origin: str
    loaded: Loaded | None
    mistakes: tuple[Mistake, ...] = ()


def scenes() -> list[Listing]:
    """All scenes of this installation by name; a refused one stops no other."""
    return [_listing(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]


def _listing(point: EntryPoint) -> Listing:
    try:
        return Listing(name=point.name, origin=point.value, loaded=load(point.name))
    except Refused as error:
        log.warning("scene.refused", scene=point.name, mistakes=[str(m) for m in error.mistakes])
        return Listing(name=point.name, origin=point.value, loaded=None, mistakes=tuple(error.mistakes))


@cache
def load(name: str) -> Loaded:
    """A scene by name. Raises `NotFound`, or `Refused` with every reason."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise NotFound(f"No scene {name!r}.", remedy=f"Installed scenes: {known}.")
    return examine(_declared(points[name]), package=points[name].module.rpartition(".")[0])


def _declared(point: EntryPoint) -> Scene:
    try:
        scene = point.load()
    except Exception as error:  # whatever a foreign scene raises while it is imported is a reason to refuse it
        what = f"It cannot be imported ({type(error).__name__}: {error})."
        raise Refused(
            [Mistake(where=point.value, what=what, remedy="Mend the scene or remove its package.")]
        ) from error
    if not isinstance(scene, Scene):
        what = f"It is a {type(scene).__name__}, not a Scene."
        raise Refused([Mistake(where=point.value, what=what, remedy="Let the entry point name the Scene of scene.py.")])
    return scene


def examine(scene: Scene, *, package: str) -> Loaded:
    """Read and check a scene that `package` declares. Raises `Refused` with every reason at once."""
    loaded, mistakes = read(scene)
    mistakes = [*_declaration(scene), *_imports(scene.folder, package), *mistakes]
    if mistakes or loaded is None:
        raise Refused([_named(scene.name, mistake) for mistake in mistakes])
    for warning in loaded.warnings:
        log.warning("scene.grown_long", scene=scene.name, warning=warning)
    return loaded


def _named(scene: str, mistake: Mistake) -> Mistake:
    return Mistake(where=f"{scene}/{mistake.where}", what=mistake.what, remedy=mistake.remedy)


def _declaration(scene: Scene) -> Iterator[Mistake]:
    """What scene.py must say of itself."""
    sources = {source.name for source in scene.sources}
    if not scene.detectors:
        yield Mistake(where="scene.py", what="It has no detector, so it leads to no case.", remedy="Declare one.")
    for detector in scene.detectors:
        where = f"scene.py: detector {detector.name}"
        if not detector.types:
            yield Mistake(
                where=where, what="Its findings lead to no case.", remedy="Name the case types of its findings."
            )
        if detector.source not in sources:
            yield Mistake(where=where, what=f"No source {detector.source!r}.", remedy="Declare the source.")
    for indicator in scene.indicators:
        if indicator.source not in sources:
            where = f"scene.py: indicator {indicator.name}"
            yield Mistake(where=where, what=f"No source {indicator.source!r}.", remedy="Declare the source.")
    for what, names in _names(scene).items():
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Mistake(where="scene.py", what=f"Two {what} are called {name!r}.", remedy="Rename one.")


def _names(scene: Scene) -> Mapping[str, list[str]]:
    return {
        "sources": [source.name for source in scene.sources],
        "detectors": [detector.name for detector in scene.detectors],
        "indicators": [indicator.name for indicator in scene.indicators],
    }


def _imports(folder: Path, package: str) -> Iterator[Mistake]:
    """A scene sees `chengshu.core`, `chengshu.scene`, `chengshu.detectors` and its own package of ours, never another scene."""
    open_to_it = (*_OPEN_TO_SCENES, package) if package else _OPEN_TO_SCENES
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            yield Mistake(where=f"{path.name}:{error.lineno}", what=f"Syntax: {error.msg}.", remedy="Mend it.")
            continue
        for line, module in _imported(tree):
            if _ours(module) and not any(f"{module}.".startswith(f"{allowed}.") for allowed in open_to_it):
                yield Mistake(
                    where=f"{path.name}:{line}",
                    what=f"It imports {module}.",
                    remedy="A scene may import chengshu.core, chengshu.scene, chengshu.detectors and itself.",
                )


def _ours(module: str) -> bool:
    return module.partition(".")[0] in {"chengshu", "django"}


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = (
                (f"{node.module}.{alias.name}" for alias in node.names) if node.module == "chengshu" else (node.module,)
            )
            yield from ((node.lineno, name) for name in names)


def check_city(loaded: Loaded, known: Catalog) -> list[Mistake]:
    """What keeps a scene from working in a city: case types it lacks, moves the platform may not make there, units nobody has."""
    types = sorted({type for each in loaded.scene.detectors if not each.faults for type in each.types})
    return [mistake for type in types for mistake in _check_type(loaded, known, type)]


def _check_type(loaded: Loaded, known: Catalog, type: str) -> Iterator[Mistake]:
    where = f"{loaded.scene.name} in {known.city.name}"
    case_type = known.type_codes.get(type)
    if case_type is None or not case_type.active:
        remedy = "Add it to the city's case_types.csv."
        yield Mistake(
            where=where, what=f"Findings of type {type} lead to no case: the city has no such type.", remedy=remedy
        )
        return
    for auto in loaded.moves.get(type, ()):
        if not _may(known, case_type.kind_id, auto.move):
            what = f"The system may not make the move {auto.move} on a case of type {type}."
            yield Mistake(
                where=where, what=what, remedy="Add the role system to it in the city's moves.yaml, or drop the move."
            )
        if missing := _missing_function(known, auto):
            what = f"No department has the function {missing}."
            yield Mistake(
                where=where, what=what, remedy="Add one to departments.csv, or change the scene's moves.yaml."
            )


def _may(known: Catalog, kind: int, code: str) -> bool:
    return any(k == kind and c == code and Role.SYSTEM in move.roles for (k, c, _), move in known.moves.items())


def _missing_function(known: Catalog, auto: AutoMove) -> str | None:
    if isinstance(auto.unit, Mapping) and not known.functions.get(auto.unit["function"]):
        return auto.unit["function"]
    return None


def for_city(name: str, known: Catalog) -> Loaded:
    """A scene that works in a city. Raises `NotFound`, or `Refused` with every reason."""
    loaded = load(name)
    if mistakes := check_city(loaded, known):
        raise Refused(mistakes)
    return loaded
