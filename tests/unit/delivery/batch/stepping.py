"""A batch in one thread: what it submits waits until a script says which ends next, and how."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_omni.delivery.effects import (
    CallApi,
    Done,
    ListParts,
    Load,
    Log,
    Measure,
    Publish,
    ReadPart,
    Report,
    Save,
    Sleep,
    Submit,
    WritePart,
)
from airflow_provider_omni.delivery.outbox.engine import Outbox
from airflow_provider_omni.omni.errors import OmniError
from tests.harness.driver import Driver, KilledError
from tests.unit.delivery.batch.batchworld import World

Step = tuple[str, OmniError | str | float | None]
"""Effect that ends next, by a part of its words; an error that it ends with, `kill` to kill the process after its
effect, or how many seconds it takes.
"""


class Stepped(Driver):
    """Runs a batch by a script; what the script does not name ends in the order in which it was submitted."""

    def __init__(self, world: World, script: Sequence[Step]) -> None:
        super().__init__()
        self.world = world
        self.script = list(script)
        self.names: dict[str, str] = {}
        self.waiting: dict[int, tuple[Any, ...]] = {}

    def run(self, batch: Outbox) -> Any:
        """Its end. Raises KilledError where the script says so."""
        return self.drive(batch.run())

    def submitted(self, submit: Submit) -> None:
        """Let it wait for its turn."""
        self.waiting[submit.tag] = submit.effects

    def gathered(self) -> list[Done]:
        """End what the script says."""
        return [self._end_next()]

    def words(self, effects: tuple[Any, ...]) -> str:
        """A POST by its request's name (R1, R2, … by first sight), a part by its lines."""
        if isinstance(effects[0], CallApi):
            return f"POST {self._name(json.loads(effects[0].call.body)['bulkId'])}"
        lines = [json.loads(line) for line in gzip.decompress(effects[0].data()).splitlines() if line]
        said = [
            f"intent {self._name(line['bulk'])}" if "ids" in line else f"{self._name(line['bulk'])}={line['all']}"
            for line in lines
            if "bulk" in line
        ]
        return "part: " + ", ".join(said)

    def _name(self, bulk_id: str) -> str:
        return self.names.setdefault(bulk_id, f"R{len(self.names) + 1}")

    def _end_next(self) -> Done:
        tag = next(iter(self.waiting))
        outcome: OmniError | str | float | None = None
        if self.script:
            wanted, outcome = self.script.pop(0)
            tags = [each for each, effects in self.waiting.items() if wanted in self.words(effects)]
            assert tags, (wanted, [self.words(each) for each in self.waiting.values()])
            tag = tags[0]
        effects = self.waiting.pop(tag)
        if isinstance(outcome, float):
            self.world.clock.advance(outcome)
        if isinstance(outcome, OmniError):
            return Done(tag, (), outcome)
        done = self.done(tag, effects)
        if outcome == "kill":
            raise KilledError
        return done

    def perform(self, effect: Any) -> Any:
        """Do it in the world."""
        world = self.world
        match effect:
            case CallApi(call, _):
                return world.execute(call)
            case Load(key):
                return world.memory.load(key)
            case Save(key, value):
                return world.memory.save(key, value)
            case WritePart(name, data):
                return world.folder.write(name, data())
            case ReadPart(name):
                return world.folder.read(name)
            case ListParts(prefix):
                return world.folder.list(prefix)
            case Sleep(seconds):
                return world.clock.advance(seconds)
            case Publish() | Log() | Report() | Measure():
                return None
        raise TypeError(effect)
