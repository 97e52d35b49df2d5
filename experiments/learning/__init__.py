"""Choosing a policy per request as was learnt: an environment for agents, and their networks."""
