"""The scene `devices`: faulty devices, from what their datastreams say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chengshu.scene import Detector, Scene
from chengshu.scenes.devices.detect import JUMP, STUCK
from chengshu.scenes.devices.indicators import INDICATORS
from chengshu.scenes.devices.rehearse import rehearse
from chengshu.scenes.devices.sources import READINGS

SCENE: Final = Scene(
    name="devices",
    folder=Path(__file__).parent,
    sources=(READINGS,),
    detectors=(
        # The indicators are given what the first was taught.
        Detector(name="stuck", source=READINGS.name, types=(STUCK.type,), detect=STUCK, teach=STUCK.teach, faults=True),
        Detector(name="jump", source=READINGS.name, types=(JUMP.type,), detect=JUMP, teach=JUMP.teach, faults=True),
    ),
    indicators=INDICATORS,
    rehearse=rehearse,
)
