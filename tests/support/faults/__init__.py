"""Deterministic fault injection: one file-system or database call of an operation fails, or the process is killed at it.

`disk` and `database` make the faults. `operations` are what is disturbed, `verification` is what must hold afterwards.
`driver` is the process that tries one point after the other, and `run` starts it.
"""
