"""The scene `crowd`: crowds in metro stations, from the people who enter."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chengshu.scene import Detector, Scene
from chengshu.scenes.crowd.detect import SCENE as NAME
from chengshu.scenes.crowd.detect import TYPES, detect
from chengshu.scenes.crowd.indicators import INDICATORS
from chengshu.scenes.crowd.profile import teach
from chengshu.scenes.crowd.rehearse import rehearse
from chengshu.scenes.crowd.sources import METRO_INFLOW

SCENE: Final = Scene(
    name=NAME,
    folder=Path(__file__).parent,
    sources=(METRO_INFLOW,),
    detectors=(
        Detector(name="surge", source=METRO_INFLOW.name, types=tuple(TYPES.values()), detect=detect, teach=teach),
    ),
    indicators=INDICATORS,
    rehearse=rehearse,
)
