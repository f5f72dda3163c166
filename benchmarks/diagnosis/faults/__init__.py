"""The faults: what is put into a training for each verdict.

Thresholds may be chosen on all but those of `reported`.
"""

from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.faults.mixed import MIXED
from benchmarks.diagnosis.faults.plain import PLAIN
from benchmarks.diagnosis.faults.reported import REPORTED
from benchmarks.diagnosis.faults.varied import VARIED

FAULTS: dict[str, tuple[Family, ...]] = {
    verdict: (*families, *VARIED[verdict], *MIXED[verdict], *REPORTED[verdict])
    for verdict, families in PLAIN.items()
}
