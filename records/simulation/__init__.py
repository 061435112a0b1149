"""Saral, the simulated company of the demo and the tests: a telecom provider and online shop in India."""

from records.simulation.campaigns import PastOutreach
from records.simulation.contact import Contact
from records.simulation.saral import Saral

__all__ = ["Contact", "PastOutreach", "Saral"]
