"""Watches a Keras model while it trains: which layer runs out of range, why, what to change."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gainstage.callback import LayerMonitor
    from gainstage.finding import Finding
    from gainstage.surgery import apply
    from gainstage.trial import run_trial

__all__ = ["Finding", "LayerMonitor", "apply", "run_trial"]

# Where the public names live. They are imported when first used, so that `import gainstage` needs
# no Keras: the server imports the diagnosis, and has none.
_HOMES = {
    "Finding": "gainstage.finding",
    "LayerMonitor": "gainstage.callback",
    "apply": "gainstage.surgery",
    "run_trial": "gainstage.trial",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gainstage' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise
        raise ModuleNotFoundError(
            "Gainstage watches models of Keras 3, which is not installed. Install it with a "
            "backend: pip install keras tensorflow (or jax, or torch).",
            name=error.name,
        ) from error
