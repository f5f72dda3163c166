"""The rules, in order of precedence: a layer with several symptoms gets the first one's verdict.

What is not finite explains everything behind it. What is saturated is also constant, so overload
comes before dead units.
"""

from gainstage.diagnosis.rule import Rule
from gainstage.diagnosis.rules import activity, bias, dead, input, kernel, nonfinite

RULES: tuple[Rule, ...] = (
    nonfinite.RULE,
    bias.RULE,
    activity.RULE,
    kernel.RULE,
    input.RULE,
    dead.RULE,
)

# Changes with any rule, threshold or formula: a checkpoint of another version is folded again.
RULES_VERSION = 1
