"""Trainings without a fault, of many kinds: whatever is said of them is a false alarm."""

from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.healthy.chosen import CHOSEN
from benchmarks.diagnosis.healthy.reported import REPORTED

FAMILIES: tuple[Family, ...] = (*CHOSEN, *REPORTED)
