"""What a course of training leaves in its folder: where it stands, and how it came there."""

import csv
import json
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Final

import torch

from experiments.keeping import Held, whole
from experiments.laboratory.training.orders import Orders
from real_runner.errors import RealRunError

STATE: Final = "course.pt"
CURVE: Final = "curve.csv"
REPORT: Final = "training.json"


class Notebook:
    """A folder: ``course.pt`` to go on from, ``curve.csv``, a row per mark, and ``training.json``.

    Files are whole or not there, whenever a course ends. It is one notebook's until that is closed
    or its process ends: then the kernel lets go of it, too.
    """

    def __init__(self, folder: Path) -> None:
        self._state = folder / STATE
        self._curve = folder / CURVE
        self._report = folder / REPORT
        self._held = Held(folder)

    def close(self) -> None:
        """Let another course have the folder."""
        self._held.close()

    def saved(self, orders: Orders) -> dict[str, Any] | None:
        """Return what was kept of a course with these orders, on the processor; None if nothing.

        Raises `RealRunError` where it is of other orders, or no such file.
        """
        if not self._state.exists():
            return None
        try:
            found: dict[str, Any] = torch.load(self._state, map_location="cpu", weights_only=True)
            whose = Orders.model_validate_json(found["orders"])
        except Exception as error:
            raise self.strange(error) from error
        if whose != orders:
            raise RealRunError(
                f"{self._state}: is a course with other orders ({whose!r}); give another folder, "
                "or remove it"
            )
        return found

    def strange(self, error: Exception) -> RealRunError:
        """Return what to tell of a state that cannot be read, or not be gone on from."""
        reason = type(error).__name__
        return RealRunError(f"{self._state}: is no saved course ({reason}); remove it")

    def keep(self, state: dict[str, Any], mark: Any) -> None:
        """Keep where a course stands, and its mark; `RealRunError` where there is no room."""
        with whole(self._state) as part:
            torch.save(state, part)
        self._note(mark)

    def report(self, report: dict[str, Any]) -> None:
        """Keep what has come of a course that is over; `RealRunError` where there is no room."""
        with whole(self._report) as part:
            part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")

    def _note(self, mark: Any) -> None:
        """Put a mark to the curve, in place of those of steps that are taken again."""
        rows: list[list[str]] = []
        if self._curve.exists():
            with self._curve.open(encoding="utf-8", newline="") as file:
                rows = [row for row in list(csv.reader(file))[1:] if int(row[0]) < mark.step]
        head = [field.name for field in fields(mark)]
        rows.append([str(round(value, 5)) for value in astuple(mark)])
        with whole(self._curve) as part, part.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *rows])
