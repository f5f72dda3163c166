"""Which of the processes that train a model together this one is."""

from collections.abc import Mapping
from typing import Any

# The worker whose figures are the run's, and who reports at the end.
CHIEF = 0
# Not one of them: who adds to a run what is no training, such as a trial. The run's figures stay
# the chief's.
BESIDE = 2**16


def worker_of(model: Any) -> int:
    """The number of this process among those that train `model`; the chief's where it is alone."""
    import keras

    find = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    return find(model)


def _tensorflow(model: Any) -> int:
    resolver = getattr(getattr(model, "distribute_strategy", None), "cluster_resolver", None)
    place = getattr(resolver, "task_id", None)
    if resolver is None or place is None:
        return CHIEF
    jobs: Mapping[str, Any] = resolver.cluster_spec().as_dict()
    # Where one task is called the chief, the workers are counted after it.
    return int(place) + (resolver.task_type == "worker" and "chief" in jobs)


def _jax(_model: Any) -> int:
    import jax

    return int(jax.process_index())


def _torch(_model: Any) -> int:
    from torch import distributed

    together = distributed.is_available() and distributed.is_initialized()
    return distributed.get_rank() if together else CHIEF
