"""The idea, without I/O: machines, tasks, steps, the loop that asks for them, and what comes out of a run."""
