# The flake's outputs, with the stand-in for nixpkgs in the place of its input.
{ flake }:
let
  described = import (flake + "/flake.nix");
  outputs = described.outputs {
    self = outputs // {
      outPath = flake;
    };
    nixpkgs = {
      outPath = toString ./nixpkgs;
      lib = import ./nixpkgs/lib.nix;
    };
  };
in
{
  inherit (described) inputs;
  inherit outputs;
}
