"""Errors that name what a policy, a plan or a scenario got wrong."""


class PolicyError(ValueError):
    """A policy cannot serve what it was asked, or was given an impossible parameter."""


class CannotServeError(Exception):
    """No plan can serve this request as the world is now; the request ends with this reason."""


class PlanError(ValueError):
    """A plan contradicts itself or the topology it is meant for."""


class ScenarioError(ValueError):
    """A scenario cannot be run as written; the message names the field and the remedy."""
