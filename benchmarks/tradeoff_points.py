"""What accuracy costs: the choices worth making, and the knee among them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TradeoffPoint:
    """What one choice costs and what it reaches.

    Attributes:
        name: of the choice.
        cost: in any unit, the same for all that are compared.
        accuracy: from 0 to 1, higher is better.
        low: lower end of the accuracy's interval.
        high: upper end of it.
    """

    name: str
    cost: float
    accuracy: float
    low: float
    high: float


def find_knee(points: Sequence[TradeoffPoint], within: float | None = None) -> TradeoffPoint | None:
    """Choose the cheapest point that is about as accurate as the best.

    Of equally cheap ones the more accurate is chosen, then the first.

    Args:
        points: all of one comparison.
        within: how far below the best accuracy still counts, the limit included. None for as far as
            the lower end of the best point's interval.

    Returns:
        The knee; None without points.
    """
    if not points:
        return None
    best = max(points, key=lambda point: point.accuracy)
    least = best.low if within is None else best.accuracy - within
    enough = [point for point in points if point.accuracy >= least - 1e-9]
    return min(enough, key=lambda point: (point.cost, -point.accuracy))


def find_front(points: Sequence[TradeoffPoint]) -> list[TradeoffPoint]:
    """Return the points that no other beats at their cost or less, cheapest first."""
    front = []
    for point in sorted(points, key=lambda point: (point.cost, -point.accuracy)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front
