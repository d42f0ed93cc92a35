"""The model, without I/O: machines, tasks, steps, the engine that runs them, and the outcome of a run."""
