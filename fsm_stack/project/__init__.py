"""The files of a project: stack files, release assets, manifests."""
