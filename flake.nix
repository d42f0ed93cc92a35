{
  description = "subfloor: prepares a machine's disks for an operating system, idempotently";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEach =
        make:
        nixpkgs.lib.genAttrs systems (
          system:
          make (
            import nixpkgs {
              inherit system;
              overlays = [ self.overlays.default ];
            }
          )
        );
    in
    {
      overlays.default = final: _: { subfloor = final.callPackage ./nix/package.nix { }; };

      # `services.subfloor.drift`
      nixosModules.default = {
        imports = [ ./src/subfloor/nixos/installed/module.nix ];
        nixpkgs.overlays = [ self.overlays.default ];
      };

      # nix run .# -- check PLAYBOOK …
      packages = forEach (pkgs: {
        inherit (pkgs) subfloor;
        default = pkgs.subfloor;
      });

      devShells = forEach (pkgs: {
        default = pkgs.callPackage ./nix/shell.nix { };
      });

      # nix build .#nixosConfigurations.iso.config.system.build.isoImage
      nixosConfigurations.iso = nixpkgs.lib.nixosSystem {
        modules = [
          "${nixpkgs}/nixos/modules/installer/cd-dvd/installation-cd-minimal.nix"
          {
            nixpkgs.hostPlatform = "x86_64-linux";
            nixpkgs.overlays = [ self.overlays.default ];
          }
          ./nix/iso.nix
        ];
      };
    };
}
