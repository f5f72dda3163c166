"""The faults: what is put into a training for each verdict."""

from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.faults.chosen import CHOSEN
from benchmarks.diagnosis.faults.reported import REPORTED

FAULTS: dict[str, tuple[Family, ...]] = {
    verdict: (*families, *REPORTED[verdict]) for verdict, families in CHOSEN.items()
}
