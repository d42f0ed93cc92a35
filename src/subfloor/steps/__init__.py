"""Code that several tasks share: writing tables and files, mounting, finding devices."""
