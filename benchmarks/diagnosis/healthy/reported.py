"""Trainings without a fault of which figures are reported."""

from benchmarks.diagnosis.families import Family

REPORTED: tuple[Family, ...] = ()
