"""The text of a NixOS configuration. Pure: from values to Nix."""
