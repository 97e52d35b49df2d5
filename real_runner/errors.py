"""What can go wrong for real: mistakes of a user, and steps that come to nothing."""


class RealRunError(ValueError):
    """Something a user gave cannot be run for real; the message names place and remedy."""


class RunRefusedError(RealRunError):
    """What was run, or was to be, is no result: the machine did not do what it was to do."""


class StepError(Exception):
    """A step cannot be done, or what it was given is malformed; the message says why.

    It ends the step, not the worker: the step is recorded as lost, with this reason.
    """
