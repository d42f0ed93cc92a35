# A stand-in for nixpkgs: as much of it as the flake uses, and no more, so that a name it lacks is an error.
# What would be built is a set that says what it would be built from. Names that nixpkgs has, in `names.nix`.
{
  system,
  overlays ? [ ],
}:
let
  lib = import ./lib.nix;
  names = import ./names.nix;
  package = name: {
    inherit name;
    type = "derivation";
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };
  set = list: builtins.listToAttrs (map (name: lib.nameValuePair name (package name)) list);
  callPackageWith =
    scope: file: more:
    let
      function = import file;
      wanted = builtins.functionArgs function;
    in
    function (builtins.intersectAttrs wanted scope // more);
  python3Packages = set names.python // {
    buildPythonApplication = arguments: package arguments.pname // arguments;
  };
  base =
    final:
    set names.top
    // {
      inherit lib system python3Packages;
      python3 = package "python3" // {
        withPackages = choose: package "python3-env" // { packages = choose python3Packages; };
      };
      OVMF = package "OVMF" // {
        fd = package "OVMF-fd";
      };
      pkgsStatic = {
        busybox = package "busybox-static";
      };
      mkShell = arguments: package "shell" // arguments;
      callPackage = callPackageWith final;
    };
  extend =
    overlay: below: final:
    let
      prev = below final;
    in
    prev // overlay final prev;
  layered = builtins.foldl' (below: overlay: extend overlay below) base overlays;
  final = layered final;
in
final
