# The stand-in's minimal installer: it only says that it is there.
{ isInstaller = true; }
