"""What can go wrong in a measurement."""


class BenchError(Exception):
    """A measurement failed; the text says how."""


class CannotStart(BenchError):
    """A server ended before it listened: this build or machine has it not."""
