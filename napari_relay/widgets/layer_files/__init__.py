"""Layers as files, and files as layers: what the manifest's readers and writers do."""
