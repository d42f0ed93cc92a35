"""The built-in subjects: what subfloor can read, each with its probes, its parser and its value.

A plugin that needs another kind of state defines a ``Subject`` in the same way.
"""
