# Evaluates a disko configuration, and returns it with the position of each attribute. It reads files, and builds nothing.
{ file, arguments ? { } }:
let
  inherit (builtins)
    attrNames elem filter functionArgs isAttrs isFunction isList isPath listToAttrs mapAttrs substring tryEval
    unsafeGetAttrPos;

  written = import (/. + file);

  nixpkgs = tryEval (import <nixpkgs/lib>);
  known = arguments // (if nixpkgs.success then { lib = nixpkgs.value; } else { });
  absent = name: throw "subfloor: the configuration needs the argument '${name}'";
  wanted = functionArgs written;
  required = filter (name: !wanted.${name} && !(known ? ${name})) (attrNames wanted);
  given = known // listToAttrs (map (name: { inherit name; value = absent name; }) required);
  module = if isFunction written then written given else written;

  # What the modules of NixOS make of mkIf, mkForce, mkDefault and mkMerge.
  encode = value:
    if isAttrs value && value ? _type then property value
    else if isAttrs value && (value.type or null) == "derivation" then { other = "a package"; }
    else if isAttrs value then { table = mapAttrs (name: attribute value name) (public value); }
    else if isList value then { list = map encode value; }
    else if isFunction value then { other = "a function"; }
    else if isPath value then { is = toString value; }
    else { is = value; };
  property = value:
    if value._type == "if" then (if value.condition then encode value.content else { other = "nothing"; })
    else if value._type == "merge" then { merge = map encode value.contents; }
    else if value ? content then encode value.content
    else { other = "a ${value._type}"; };
  attribute = set: name: value: encode value // { at = unsafeGetAttrPos name set; };
  public = set: removeAttrs set (filter (name: substring 0 1 name == "_") (attrNames set));

  # Only what describes disks is evaluated: the rest may need the whole system.
  layout = [ "disko" "devices" "disk" "mdadm" "lvm_vg" "nodev" "zpool" "bcachefs_filesystems" "bcache" ];
  early = filesystem: { is = isAttrs filesystem && (filesystem.neededForBoot or false); };
  top = name: value:
    if elem name layout then attribute system name value
    else if name == "fileSystems" && isAttrs value then { table = mapAttrs (_: early) value; }
    else { other = "not evaluated"; at = unsafeGetAttrPos name system; };
  system = if isAttrs (module.config or null) then module.config else module;
in
if isAttrs module then { table = mapAttrs top (public system); } else { other = "a configuration"; }
