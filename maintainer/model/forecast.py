"""How long a step is thought to take."""

from typing import Literal

from maintainer.model.values import Value


class Forecast(Value):
    """By its own history, or by how fast others of its task went on that node; or nobody can say yet."""

    seconds: float | None = None
    by: Literal["history", "speed", "unknown"] = "unknown"
