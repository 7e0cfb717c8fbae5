"""Fixtures that more than one folder of tests needs."""

from tests.practice_fixture import practice, shared_practice

__all__ = ["practice", "shared_practice"]
