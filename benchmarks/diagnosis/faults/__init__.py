"""The faults: what is put into a training for each verdict.

Thresholds may be chosen on all but those of `reported` and `practice`.
"""

from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.faults.plain import PLAIN
from benchmarks.diagnosis.faults.practice import PRACTICE
from benchmarks.diagnosis.faults.reported import REPORTED
from benchmarks.diagnosis.faults.varied import VARIED

FAULTS: dict[str, tuple[Family, ...]] = {
    verdict: (*families, *VARIED[verdict], *REPORTED.get(verdict, ()), *PRACTICE[verdict])
    for verdict, families in PLAIN.items()
}
