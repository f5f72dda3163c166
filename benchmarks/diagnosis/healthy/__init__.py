"""Trainings without a fault, of many kinds: whatever is said of them is a false alarm.

Thresholds may be chosen on all but those of `reported`.
"""

from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.healthy.kinds import KINDS
from benchmarks.diagnosis.healthy.mixed import MIXED
from benchmarks.diagnosis.healthy.plain import PLAIN
from benchmarks.diagnosis.healthy.reported import REPORTED

FAMILIES: tuple[Family, ...] = (*PLAIN, *KINDS, *MIXED, *REPORTED)
