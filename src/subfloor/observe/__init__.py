"""The built-in subjects: what can be looked at, each with its probes, its parser and its value.

A plugin that needs another sort of state brings a ``Subject`` of its own; these have no privilege.
"""
