"""The one error of this folder: a workload that cannot be what it was asked to be."""


class WorkloadError(ValueError):
    """A workload's value is impossible; the message names the place, the value and the remedy."""
