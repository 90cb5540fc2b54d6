"""Lets ``python -m napari_relay.cli`` be the command ``napari-relay``."""

from napari_relay.cli import main

main()
