"""subfloor: an idempotent task runner that prepares a machine for an operating system."""
