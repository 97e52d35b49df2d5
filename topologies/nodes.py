"""A node: a place in the network, what it computes with, and what it costs."""

from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args

from topologies.device import Device
from topologies.errors import TopologyError, require_at_least_0, suggestion
from topologies.serving import IN_ORDER, Serving

Role = Literal["sensor", "edge", "cloud", "router"]
ROLES: Final[tuple[str, ...]] = get_args(Role)

Billing = Literal["busy", "reserved"]
BILLINGS: Final[tuple[str, ...]] = get_args(Billing)


def trusted_by_default(role: Role) -> bool:
    """Say whether a role belongs to the user: sensors and edges do."""
    return role in ("sensor", "edge")


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the network. Edges and clouds compute, sensors may, routers never do.

    `trusted` defaults to `trusted_by_default(role)`.
    `egress_usd_per_byte` is what the provider charges for bytes that leave the node. `billing`
    says whether the device's hourly price is due while it is `busy`, slot by slot, or for as long
    as the run lasts, since the whole node is `reserved`. `request_price_usd` is due for each
    computation that is asked of the node, as for a function that is called. `serving` says how its
    device serves, in order of arrival unless said otherwise.

    Raises TopologyError: an unknown role, a device where none may be or none where one must be,
    unknown billing, a price out of its range.
    """

    name: str
    role: Role
    device: Device | None = None
    trusted: bool = field(default=cast("bool", None))
    provider: str = ""
    region: str = ""
    egress_usd_per_byte: float = 0.0
    billing: Billing = "busy"
    request_price_usd: float = 0.0
    serving: Serving = IN_ORDER

    def __post_init__(self) -> None:
        if self.trusted is None:
            object.__setattr__(self, "trusted", trusted_by_default(self.role))
        place = f"node {self.name!r}"
        if not self.name:
            raise TopologyError("a node has no name; give each node one")
        if self.role not in ROLES:
            remedy = suggestion(self.role, ROLES)
            raise TopologyError(f"{place}: role {self.role!r} is unknown; {remedy}")
        if self.role == "router" and self.device is not None:
            raise TopologyError(f"{place}: a router has no device; remove it or change the role")
        if self.role in ("edge", "cloud") and self.device is None:
            raise TopologyError(f"{place}: role {self.role!r} needs a device; name one")
        if self.billing not in BILLINGS:
            remedy = suggestion(self.billing, BILLINGS)
            raise TopologyError(f"{place}: billing {self.billing!r} is unknown; {remedy}")
        if self.serving != IN_ORDER and self.device is None:
            raise TopologyError(f"{place}: nothing serves without a device; remove serving")
        require_at_least_0(place, "egress_usd_per_byte", self.egress_usd_per_byte)
        require_at_least_0(place, "request_price_usd", self.request_price_usd)
