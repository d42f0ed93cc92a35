"""Where tasks come from, and what a class must be to count as one."""

from subfloor.plugins.registry import Plugin, Registry, broken

__all__ = ["Plugin", "Registry", "broken"]
