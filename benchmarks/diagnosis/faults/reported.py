"""Faults of which figures are reported: whoever wrote them had not seen the rules."""

from benchmarks.diagnosis.families import Family

REPORTED: dict[str, tuple[Family, ...]] = {}
