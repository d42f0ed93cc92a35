# As much of nixpkgs' lib as the flake uses, by its own definitions: see lib/attrsets.nix and lib/strings.nix there.
let
  lib = rec {
    nameValuePair = name: value: { inherit name value; };
    genAttrs = names: make: builtins.listToAttrs (map (name: nameValuePair name (make name)) names);
    makeBinPath = paths: builtins.concatStringsSep ":" (map (path: "${path}/bin") paths);
    licenses.mit.spdxId = "MIT";
    platforms.linux = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    # Every path must be there.
    fileset = {
      unions = paths: map (path: if builtins.pathExists path then path else throw "${toString path} is not there") paths;
      toSource = { root, fileset }: builtins.seq (builtins.length (map toString fileset)) (toString root);
    };
    recursiveUpdate =
      left: right:
      left
      // builtins.mapAttrs (
        name: value:
        if builtins.isAttrs value && builtins.isAttrs (left.${name} or null) && !(value ? type) then
          recursiveUpdate left.${name} value
        else if builtins.isList value && builtins.isList (left.${name} or null) then
          left.${name} ++ value
        else
          value
      ) right;
    # The modules are laid over one another; options are not declared, and `pkgs` is made as their options say.
    nixosSystem =
      { modules }:
      let
        load = module: if builtins.isAttrs module then module else import module;
        apply = module: if builtins.isFunction module then module { inherit config lib pkgs; } else module;
        plain = builtins.filter (module: !builtins.isFunction module) (map load modules);
        settings = builtins.foldl' recursiveUpdate { } plain;
        pkgs = import ./default.nix {
          system = settings.nixpkgs.hostPlatform;
          inherit (settings.nixpkgs) overlays;
        };
        config = builtins.foldl' recursiveUpdate { } (map (module: apply (load module)) modules);
      in
      {
        inherit config;
      };
  };
in
lib
