"""What the steps of several tasks have in common: writing tables and files, mounting, finding devices."""
