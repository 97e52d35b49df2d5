"""Timelines in the Chrome trace format, which Perfetto opens.

Each policy of each world is a process, each slot of a device a thread of its computations, which
follow one another there; transfers are asynchronous slices, since they overlap. Time is in
microseconds, as the format wants it.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import pandas as pd

from sim.trace import FINISHED

REQUESTS_SHOWN = 50
"""A timeline shows the first requests of a replication: enough to see, small enough to open."""

Event = dict[str, Any]
Row = dict[Hashable, Any]


def first_requests(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``steps`` that a timeline shows."""
    return steps[steps["request"] < REQUESTS_SHOWN]


def timeline_events(steps: pd.DataFrame, policy: str, process: int) -> list[Event]:
    """Return the events of the first `REQUESTS_SHOWN` requests in ``steps``, as ``process``.

    Computations that were cancelled before they ran do not show, nor waits that take no time.
    """
    shown = first_requests(steps)
    took, kind = shown["end_s"] > shown["start_s"], shown["kind"]
    ran = (kind == "compute") & (shown["outcome"] == FINISHED)
    rows = shown[took | ran | (kind == "transfer")].to_dict(orient="records")
    if not rows:
        return []
    tracks = _tracks(rows)
    threads = {track: number for number, track in enumerate(dict.fromkeys(tracks), start=1)}
    names = [_named("thread_name", track, process, thread) for track, thread in threads.items()]
    return [
        _named("process_name", f"{rows[0]['world']}: {policy}", process, 0),
        *names,
        *(
            event
            for row, track in zip(rows, tracks, strict=True)
            for event in _slices(row, process, threads[track])
        ),
    ]


def together(timelines: Iterable[Sequence[Event]]) -> list[Event]:
    """Return several timelines as one, in which no process or transfer is taken for another's."""
    events: list[Event] = []
    for timeline in timelines:
        before = max((event["pid"] for event in events), default=0)
        events += [_after(event, before) for event in timeline]
    return events


def _after(event: Event, before: int) -> Event:
    """Return an event of a process that is numbered after so many others."""
    own = {"id": f"{before}:{event['id']}"} if "id" in event else {}
    return {**event, "pid": event["pid"] + before, **own}


def _tracks(rows: list[Row]) -> list[str]:
    """Return each row's thread: the way it travelled, or the first slot of its device then free."""
    free_s: defaultdict[str, list[float]] = defaultdict(list)
    tracks = [
        f"{row['source']} to {row['target']}"
        if row["kind"] == "transfer"
        else f"{row['node']} waits"
        for row in rows
    ]
    for place in sorted(range(len(rows)), key=lambda place: rows[place]["start_s"]):
        row = rows[place]
        if row["kind"] == "compute":
            slots = free_s[row["node"]]
            free = (slot for slot, until_s in enumerate(slots) if until_s <= row["start_s"])
            slot = next(free, len(slots))
            slots[slot:] = [row["end_s"], *slots[slot + 1 :]]
            tracks[place] = row["node"] + (f" ({slot + 1})" if slot else "")
    return tracks


def _named(kind: str, name: str, process: int, thread: int) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _slices(row: Row, process: int, thread: int) -> list[Event]:
    event = {
        "name": row["stage"],
        "cat": row["kind"],
        "pid": process,
        "tid": thread,
        "args": {key: row[key] for key in ("request", "step", "outcome")},
    }
    begin_us, end_us = row["start_s"] * 1e6, row["end_s"] * 1e6
    if row["kind"] == "compute":
        return [{**event, "ph": "X", "ts": begin_us, "dur": end_us - begin_us}]
    event["id"] = ".".join(str(part) for part in (process, *(row[key] for key in _IDENTITY)))
    return [{**event, "ph": "b", "ts": begin_us}, {**event, "ph": "e", "ts": end_us}]


_IDENTITY = ("request", "attempt", "step")
