"""Which layer runs out of range, why, and what to change: a deterministic fold over frames."""

from gainstage.diagnosis.checkpoint import dump_state, load_state
from gainstage.diagnosis.fold import advance
from gainstage.diagnosis.rule import Rule, describe
from gainstage.diagnosis.rules import RULES, RULES_VERSION
from gainstage.diagnosis.state import State, begin
from gainstage.finding import VERDICTS, Evidence, Finding, Severity, Verdict

__all__ = [
    "RULES",
    "RULES_VERSION",
    "VERDICTS",
    "Evidence",
    "Finding",
    "Rule",
    "Severity",
    "State",
    "Verdict",
    "advance",
    "begin",
    "describe",
    "dump_state",
    "load_state",
]
