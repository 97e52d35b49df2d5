"""How a node serves what it is asked to compute; a node that says nothing serves in order.

These values are what a topology file says under `serving`, key for key (without units, see
`documents.Strict`), and what Python code constructs. Their meaning is `sim.engine.servers`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import ConfigDict, Field, PlainSerializer

from topologies.errors import TopologyError
from topologies.frozen import FrozenMap
from topologies.quantities import Bytes, BytesPerS, Seconds, key_of

DisciplineName = Literal["fifo", "processor-sharing", "priority", "preemptive-priority"]
DISCIPLINES: Final[tuple[str, ...]] = get_args(DisciplineName)

Priorities = Annotated[Mapping[str, int], PlainSerializer(dict, return_type=dict[str, int])]

_KEYS: Final = ConfigDict(extra="forbid", alias_generator=key_of)


@dataclass(frozen=True, slots=True)
class Batching:
    """Up to `largest` equal stages are served as one; the first waits `wait_s` for others."""

    __pydantic_config__: ClassVar = _KEYS
    largest: int
    wait_s: Seconds = 0.0

    def __post_init__(self) -> None:
        _require(self.largest >= 2, "batch.largest", self.largest, "at least 2")
        _require_finite("batch.wait_s", self.wait_s)


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """What a node has for weights and working sets: its device's memory, or `limit_bytes` of it.

    A stage's working set is `working` of the activations it reads and writes: those live at once.
    All of them, the default, is an upper bound. Besides, keys and values of texts may take
    `caches_bytes`; those not used for longest give way. Without it nothing bounds them.
    """

    __pydantic_config__: ClassVar = _KEYS
    limit_bytes: Bytes | None = None
    working: float = 1.0
    caches_bytes: Bytes | None = None

    def __post_init__(self) -> None:
        limit = self.limit_bytes
        _require(limit is None or limit > 0, "memory.limit_bytes", limit, "above 0")
        caches = self.caches_bytes
        _require(caches is None or caches > 0, "memory.caches_bytes", caches, "above 0")
        _require(0 <= self.working <= 1, "memory.working", self.working, "between 0 and 1")


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Weights that are not resident are loaded before they are used.

    Either from disk, at a rate, or over the network from another node, `source`, which is taken to
    be there at all times.
    """

    __pydantic_config__: ClassVar = _KEYS
    rate_bytes_per_s: BytesPerS | None = None
    source: str = ""

    def __post_init__(self) -> None:
        rate = self.rate_bytes_per_s
        if (rate is None) != bool(self.source):
            raise TopologyError("serving: cold_start: give either a rate or a source")
        if rate is not None:
            _require(rate > 0 and isfinite(rate), "cold_start.rate_bytes_per_s", rate, "above 0")


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Service times are multiplied by random factors, one per job.

    Either lognormal of mean 1 and coefficient of variation `cv`, or drawn from measured `factors`
    (actual over predicted), which may stand in a file, `table`, one per line.
    """

    __pydantic_config__: ClassVar = _KEYS
    cv: float = 0.0
    factors: tuple[float, ...] = ()
    table: str = ""

    def __post_init__(self) -> None:
        _require_finite("noise.cv", self.cv)
        for factor in self.factors:
            _require(factor > 0 and isfinite(factor), "noise.factors", factor, "factors above 0")
        if sum((self.cv > 0, bool(self.factors), bool(self.table))) != 1:
            raise TopologyError("serving: noise: give either cv above 0, or factors, or a table")

    def read(self, folder: Path) -> "NoiseModel":
        """Return this with the table's factors in the place of its path, relative to `folder`.

        Raises TopologyError: the file cannot be read, or a line is no number above 0.
        """
        if not self.table:
            return self
        path = folder / self.table
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise TopologyError(
                f"serving: noise.table: {path} cannot be read: {_why(error)}"
            ) from error
        factors = tuple(_factor(path, number, line) for number, line in enumerate(lines, 1))
        if not factors:
            raise TopologyError(f"serving: noise.table: {path} is empty; give a factor per line")
        return NoiseModel(factors=factors)


@dataclass(frozen=True, slots=True)
class BackgroundLoad:
    """Jobs of other tenants, at random times, of mean `service_s`, that take `utilisation`."""

    __pydantic_config__: ClassVar = _KEYS
    utilisation: float
    service_s: Seconds
    priority: int = 0

    def __post_init__(self) -> None:
        share = self.utilisation
        _require(0 < share < 1, "background.utilisation", share, "above 0 and below 1")
        _require_finite("background.service_s", self.service_s)
        _require(self.service_s > 0, "background.service_s", self.service_s, "above 0")


@dataclass(frozen=True, slots=True)
class Autoscale:
    """Slots are added and taken away so that `target` of them are busy.

    The utilisation is looked at every `interval_s`; slots added serve after `start_up_s`.
    """

    __pydantic_config__: ClassVar = _KEYS
    target: float
    max_slots: int
    start_up_s: Seconds
    min_slots: int = 1
    interval_s: Seconds = 15.0

    def __post_init__(self) -> None:
        _require(0 < self.target <= 1, "autoscale.target", self.target, "above 0 and at most 1")
        _require(self.min_slots >= 1, "autoscale.min_slots", self.min_slots, "at least 1")
        enough = self.max_slots >= self.min_slots
        _require(enough, "autoscale.max_slots", self.max_slots, "at least min_slots")
        _require_finite("autoscale.start_up_s", self.start_up_s)
        _require_finite("autoscale.interval_s", self.interval_s)
        _require(self.interval_s > 0, "autoscale.interval_s", self.interval_s, "above 0")


@dataclass(frozen=True, slots=True)
class Serving:
    """How a node serves. Every part is left out by default: first come, first served.

    `priorities` maps kinds of stages to priorities, higher first, 0 for those not named.
    `limit` is how many jobs may be there at once; a further one is refused. `interference` is
    the relative slow-down of a job by each other job in service.

    Raises TopologyError: a figure out of its range, or priorities that nothing would look at.
    """

    __pydantic_config__: ClassVar = _KEYS
    discipline: DisciplineName = "fifo"
    priorities: Priorities = field(default_factory=dict)
    limit: int | None = None
    batch: Batching | None = None
    memory: MemoryLimit | None = None
    interference: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    cold_start: ColdStart | None = None
    noise: NoiseModel | None = None
    background: BackgroundLoad | None = None
    autoscale: Autoscale | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "priorities", FrozenMap(self.priorities))
        names = "one of " + ", ".join(DISCIPLINES)
        _require(self.discipline in DISCIPLINES, "discipline", self.discipline, names)
        _require(self.limit is None or self.limit >= 1, "limit", self.limit, "at least 1")
        _require_finite("interference", self.interference)
        ranked = bool(self.priorities) or (self.background is not None and self.background.priority)
        if ranked and "priority" not in self.discipline:
            raise TopologyError(
                f"serving: discipline {self.discipline!r} looks at no priorities; "
                "use 'priority' or 'preemptive-priority', or leave them out"
            )

    def read(self, folder: Path) -> "Serving":
        """Return this with the tables of files in `folder` read."""
        return self if self.noise is None else replace(self, noise=self.noise.read(folder))


def _factor(path: Path, number: int, line: str) -> float:
    try:
        factor = float(line)
    except ValueError:
        factor = -1.0
    if not (factor > 0 and isfinite(factor)):
        raise TopologyError(
            f"serving: noise.table: {path}: line {number} is {line!r}; it must be a number above 0"
        )
    return factor


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else "not UTF-8 text"


def _require_finite(key: str, value: float) -> None:
    _require(value >= 0 and isfinite(value), key, value, "finite and at least 0")


def _require(holds: bool, key: str, value: object, rule: str) -> None:  # noqa: FBT001
    if not holds:
        raise TopologyError(f"serving: {key} is {value!r}; it must be {rule}")


IN_ORDER: Final = Serving()
"""First come, first served, and nothing else: what a node does that says nothing."""
