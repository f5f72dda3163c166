"""The rules, in order of precedence: a layer with several symptoms gets the first one's verdict.

What is not finite explains everything behind it. What is saturated is also constant, so overload
comes before dead units. What a penalty has silenced ends up dead. Saturated and dead layers let no
gradient pass, so that the rules of gradients come behind them, and weights that do not move for
none of these reasons come last.
"""

from gainstage.diagnosis.rule import Rule
from gainstage.diagnosis.rules import (
    activity,
    bias,
    dead,
    exploding,
    input,
    kernel,
    nonfinite,
    over_regularized,
    untrained,
    vanishing,
)

RULES: tuple[Rule, ...] = (
    nonfinite.RULE,
    bias.RULE,
    activity.RULE,
    kernel.RULE,
    input.RULE,
    over_regularized.RULE,
    dead.RULE,
    exploding.RULE,
    vanishing.RULE,
    untrained.RULE,
)
# A verdict's place in the order of precedence.
PLACES = {rule.verdict: place for place, rule in enumerate(RULES)}

# Changes with any rule, threshold or formula: a checkpoint of another version is folded again.
RULES_VERSION = 7
