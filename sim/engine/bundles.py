"""The bundles of a network: one per route, and one for each flow that has a cap."""

from collections.abc import Sequence
from typing import final

from sim.engine.flows import Bundle, Link


@final
class Bundles:
    """All bundles over ``channels``, each of which occupies a link.

    ``by_route`` holds the bundle of each route's flows without a cap. It also keeps the account of
    what capped flows carried, whose bundles serve one flow after the other. The links that caps
    are go to the end of ``links``.
    """

    def __init__(self, links: list[Link], channels: Sequence[Link]) -> None:
        self.by_route: dict[tuple[int, ...], Bundle] = {}
        self._links = links
        self._channels = channels
        self._spare: dict[tuple[int, ...], list[Bundle]] = {}  # capped ones without a flow

    def new(self, route: tuple[int, ...]) -> Bundle:
        """Make the bundle of a route that has none; raises ``ValueError`` where it is no route."""
        bundle = self.by_route[route] = Bundle(route, self._links_of(route))
        return bundle

    def capped(self, route: tuple[int, ...], cap: float) -> Bundle:
        """Return a bundle for one flow with a cap, one that served another flow if there is any."""
        if route not in self.by_route:
            self.new(route)
        spare = self._spare.setdefault(route, [])
        if spare:
            bundle = spare.pop()
            assert bundle.limit is not None  # noqa: S101 - for mypy; it is a capped bundle
            bundle.limit.capacity = cap
            return bundle
        limit = Link(len(self._links), cap)
        self._links.append(limit)
        return Bundle(route, self._links_of(route), limit)

    def put_away(self, bundle: Bundle) -> None:
        """Keep a capped bundle for the next flow, where it is one."""
        if bundle.limit is not None:
            if bundle.ended_bytes:
                self.by_route[bundle.route].ended_bytes += bundle.ended_bytes
                bundle.ended_bytes = 0.0
            self._spare[bundle.route].append(bundle)

    def _links_of(self, route: tuple[int, ...]) -> list[Link]:
        """Return the links that the channels of ``route`` occupy, once it is found to be one."""
        channels = self._channels
        if min(route) < 0 or max(route) >= len(channels):
            raise ValueError(f"route {route} must name channels from 0 to {len(channels) - 1}")
        links = [channels[channel] for channel in route]
        if len(set(links)) < len(links):
            raise ValueError(f"route {route} must occupy links, none twice")
        return links
