# The module of `services.subfloor.drift`, with the definitions of nixpkgs that it uses (lib/options.nix, lib/modules.nix,
# lib/strings.nix, nixos/lib/utils.nix). A name that is not here is an error. Types are not checked.
{
  directory,
  given ? { },
}:
let
  lib = rec {
    types = {
      package = null;
      path = null;
      str = null;
      bool = null;
      nullOr = _: null;
      either = _: _: null;
      listOf = _: null;
    };
    mkOption = option: option // { _type = "option"; };
    mkEnableOption = _: mkOption { default = false; };
    literalExpression = text: text;
    mkDefault = value: value;
    mkIf = condition: value: if condition then value else { };
    optional = condition: value: if condition then [ value ] else [ ];
    optionalAttrs = condition: value: if condition then value else { };
    concatMap = builtins.concatMap;
    hasSuffix =
      end: text:
      let
        start = builtins.stringLength text - builtins.stringLength end;
      in
      start >= 0 && builtins.substring start (-1) text == end;
    getExe = package: "${package.outPath}/bin/${package.meta.mainProgram}";
  };
  utils.escapeSystemdExecArgs =
    arguments:
    builtins.concatStringsSep " " (
      map (word: builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON word)) arguments
    );
  pkgs.subfloor = {
    outPath = "/nix/store/00000000000000000000000000000000-subfloor";
    meta.mainProgram = "subfloor";
  };
  defaults = options: if options ? _type then options.default else builtins.mapAttrs (_: defaults) options;
  merged =
    left: right:
    left
    // builtins.mapAttrs (
      name: value:
      if builtins.isAttrs value && builtins.isAttrs (left.${name} or null) then merged left.${name} value else value
    ) right;
  config.services.subfloor = merged (defaults module.options.services.subfloor) given;
  module = import (directory + "/module.nix") {
    inherit
      config
      lib
      pkgs
      utils
      ;
  };
in
module.config
