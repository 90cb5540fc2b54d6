"""The napari side: layers, panels and the app; the only part that knows napari and Qt."""
